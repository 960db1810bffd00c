"""The words both sides of Temporal agree on. No I/O, and nothing of ours is imported here."""
