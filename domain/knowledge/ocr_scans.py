"""Tell which pages of a PDF must be recognised: their text layer is missing, or is not what the page shows."""

import unicodedata
from itertools import islice
from typing import Any

import pypdfium2
import pypdfium2.raw

_LITTLE = 100
"""Characters: a stamp, a page number and a file name are fewer; a slide or a title page with less is read again."""

_COVERED = 0.5
"""Share of the page: a scan fills it, even with margins cut off; pictures in a text rarely fill half."""

_PICTURE_PIXELS = 600 * 600
"""An image this large may be a page; inside a form its place on the page cannot be had cheaply."""

_MARK_PIXELS = 3_000
"""An image smaller than this, 100x30, holds no word that can be read."""

_OUTLINED = 40
"""Shapes on a page without text: letters that were turned into outlines; a border or a logo has fewer."""

_MOST_OBJECTS = 5_000
"""A map has a million shapes; what these do not decide, the rest will not."""

_UNMAPPED = {"Cc", "Co", "Cn", "Cs"}


def is_scan(page: Any, text: str) -> bool:
    """page: pypdfium2's. text: its text layer. The page shows something, and the text does not tell what."""
    characters = "".join(text.split())
    if _is_unmapped(characters):
        return True
    if len(characters) >= _LITTLE and not _is_junk(text):
        return False
    covered, largest, shapes = _drawn(page)
    if not characters:
        return largest >= _MARK_PIXELS or shapes >= _OUTLINED
    return covered >= _COVERED


def _is_unmapped(characters: str) -> bool:
    """A font without a table of its letters: a fifth of the text is control or private characters."""
    lost = sum(each == "\ufffd" or unicodedata.category(each) in _UNMAPPED for each in characters)
    hyphens = characters.count("\x02") + characters.count("\ufffe")  # PDFium's marks of words broken at a line's end
    return bool(characters) and (lost - hyphens) * 5 > len(characters)


def _is_junk(text: str) -> bool:
    """What poor recognition leaves in the invisible layer of a scan: most words are crumbs and signs."""
    words = text.split()
    sound = sum(sum(map(str.isalnum, word)) * 10 >= max(2, len(word)) * 7 for word in words)
    return sound * 2 < len(words)


def _drawn(page: Any) -> tuple[float, int, int]:
    """Share of the page that images cover (1 at most), the pixels of the largest one, and the number of shapes."""
    width, height = page.get_size()
    area, largest, shapes = 0.0, 0, 0
    for drawn in islice(page.get_objects(), _MOST_OBJECTS):
        if drawn.type == pypdfium2.raw.FPDF_PAGEOBJ_PATH:
            shapes += 1
        elif drawn.type == pypdfium2.raw.FPDF_PAGEOBJ_IMAGE:
            try:
                across, down = drawn.get_px_size()
                left, bottom, right, top = drawn.get_bounds()
            except pypdfium2.PdfiumError:  # an image without data shows nothing
                continue
            largest = max(largest, across * down)
            if drawn.level and across * down >= _PICTURE_PIXELS:
                area = width * height
            area += max(0.0, right - left) * max(0.0, top - bottom)
    return min(1.0, area / max(width * height, 1)), largest, shapes
