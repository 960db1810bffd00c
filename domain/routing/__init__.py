"""Routing: which language a message is in, and which known intent it has, if any."""
