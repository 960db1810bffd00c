"""Count the pages of an image: each is a scan. What they show is recognised elsewhere, not here."""

import struct

from domain.errors import DocumentUnreadable
from domain.knowledge import media
from domain.knowledge.extract import Content

_MOST_PAGES = 5_000
"""As many as of a PDF."""


def read_image(kind: str, data: bytes) -> Content:
    """No text, one page, or the pages of a TIFF. Raises DocumentUnreadable for a TIFF without a first page."""
    pages = _tiff_pages(data) if kind == media.TIFF else 1
    if pages > _MOST_PAGES:
        raise DocumentUnreadable(f"the image has {pages} pages; at most {_MOST_PAGES} are read")
    return Content("", [], pages, list(range(1, pages + 1)))


def _tiff_pages(data: bytes) -> int:
    """Follows the chain of directories. A chain that is broken or goes in a circle ends there."""
    order = "<" if data.startswith(b"II") else ">"
    big = data[2:4] in {b"+\x00", b"\x00+"}  # BigTIFF: the same with 8-byte offsets
    offset_format, count_format, entry_bytes = ("Q", "Q", 20) if big else ("I", "H", 12)
    seen: set[int] = set()
    try:
        (place,) = struct.unpack_from(order + offset_format, data, 8 if big else 4)
        while place and place not in seen:
            (entries,) = struct.unpack_from(order + count_format, data, place)
            seen.add(place)
            after = place + struct.calcsize(count_format) + entries * entry_bytes
            (place,) = struct.unpack_from(order + offset_format, data, after)
    except struct.error as error:
        if not seen:
            raise DocumentUnreadable("the TIFF image is corrupt: its first page is missing") from error
    return len(seen)
