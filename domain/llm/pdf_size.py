"""About how many tokens a PDF is read as. Not for reading it: nothing of it is parsed here."""

import re

_PAGE_TOKENS = 3000
"""Anthropic says 1,500 to 3,000 tokens of text a page, and each is looked at as an image besides."""

_BYTES_A_PAGE = 40_000
"""Where the pages cannot be counted: between plain text (5 kB) and scans (100 kB and more)."""

_MOST_PAGES = 1000
_PAGES = re.compile(rb"/Count\s+(\d{1,6})\b")
_PAGE = re.compile(rb"/Type\s*/Page\b")


def pdf_tokens(data: bytes) -> int:
    """By its own count of pages where that is in clear, else by its size."""
    counted = max((int(found) for found in _PAGES.findall(data)), default=0) or len(_PAGE.findall(data))
    pages = counted or 1 + len(data) // _BYTES_A_PAGE
    return min(pages, _MOST_PAGES) * _PAGE_TOKENS
