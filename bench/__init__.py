"""Measures the product against its peers on one machine. Never imported by the product."""
