"""Language models behind one request and one stream of replies. Not for choosing what to ask."""
