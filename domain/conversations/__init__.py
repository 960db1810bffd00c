"""Conversations: messages, turns, and the one ordered log that every reader follows."""
