"""Real processes, real kill -9: whatever dies, every turn ends once, whole, and paid for once."""
