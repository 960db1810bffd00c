"""What the demo agent knows: the documents beside this file, with their own licence."""
