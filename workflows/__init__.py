"""Deterministic stories: what happens in which order, and what is done when a step fails.

They import only `contracts`; everything that touches the world is an activity.
"""
