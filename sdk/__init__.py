"""The Python client of the HTTP API. Imports nothing else of the product, so it can leave the house on its own."""
