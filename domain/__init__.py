"""The house itself, one room a capability. Knows neither Temporal nor HTTP; only a store speaks SQL."""
