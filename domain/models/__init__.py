"""Which model answers, what it may cost, and what it did cost. Not for talking to a provider: that is `domain/llm`."""
