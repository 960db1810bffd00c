"""Where documents come from: addresses, websites, archives and databases. Not for reading their formats."""
