"""Task queues, one for each kind of work, so that each kind is scaled and starved on its own."""

TURNS = "turns"
"""Conversations and one-shot turns: latency first."""

INGEST = "ingest"
"""Documents: CPU-heavy parsing and embedding; must never delay a conversation."""

ALL = (TURNS, INGEST)
