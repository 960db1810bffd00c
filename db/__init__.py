"""Postgres: the engine, tenant transactions, tables (columns only) and migrations."""
