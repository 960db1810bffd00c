"""Agents and their immutable versions."""
