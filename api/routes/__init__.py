"""One file a resource. Thin: validate, one call into the house, answer."""
