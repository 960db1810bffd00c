"""The embedded stack: a real Postgres and a real Temporal from wheels, for a machine without an engine."""
