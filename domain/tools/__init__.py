"""Tools: one call to the outside world, through a ledger that knows whether it happened."""
