"""Mend what PDFium makes of Arabic and Hebrew lines: letters of ligatures in order, words of two scripts apart.

Not for the order of lines and columns.
"""

import ctypes
import re
from typing import Any

import pypdfium2.raw

_LETTER = "\u05d0-\u05ea\u0620-\u064a\u066e-\u06d3\u0750-\u077f\u08a0-\u08ff"
_RIGHT_TO_LEFT = re.compile(f"[{_LETTER}]")
_GLUED = re.compile(f"(?<=[{_LETTER}])(?=[A-Za-z]{{2}})|(?<=[A-Za-z]{{2}})(?=[{_LETTER}])")
"""Word's PDFs lose the space beside a Latin word; two letters at least, as one may be a formula's."""

_STRAY_MARK = re.compile(f"(?<=[{_LETTER}]) ([\u064b-\u0652\u0670])([{_LETTER}])")
"""A vowel sign that is drawn a little lower seems to be a word of its own; it belongs to the letter it stands at."""

_IN_ORDER = re.compile("^(?:ل[اأإآ]|ال?له|لله)$")
"""Ligatures that have a character of their own are taken apart by PDFium itself, and then rightly."""


def mended(textpage: Any, text: str) -> str:
    """textpage: pypdfium2's; text: all of it, as PDFium gives it."""
    if not _RIGHT_TO_LEFT.search(text):
        return text
    if len(text) == textpage.count_chars():  # else places cannot be told; none such was seen
        text = _in_order(textpage, text)
    return _GLUED.sub(" ", _STRAY_MARK.sub(r"\2\1", text))


def _in_order(textpage: Any, text: str) -> str:
    """A line is written in PDFs from its left end. PDFium turns it round letter by letter, and so turns the letters
    that one glyph stands for ("lam-alef", in every third sentence) the wrong way."""
    letters = list(text)
    start = 0
    for end in range(1, len(text) + 1):
        if end < len(text) and _is_one_glyph(textpage, text, end):
            continue
        glyph = text[start:end]
        if end - start > 1 and not _IN_ORDER.match(glyph):
            letters[start:end] = reversed(glyph)
        start = end
    return "".join(letters)


def _is_one_glyph(textpage: Any, text: str, index: int) -> bool:
    """The letter and the one before it stand in the same place."""
    if not (_RIGHT_TO_LEFT.match(text, index) and _RIGHT_TO_LEFT.match(text, index - 1)):
        return False
    return _place(textpage, index) == _place(textpage, index - 1)


def _place(textpage: Any, index: int) -> tuple[float, ...]:
    x, y = ctypes.c_double(), ctypes.c_double()
    pypdfium2.raw.FPDFText_GetCharOrigin(textpage.raw, index, x, y)
    return x.value, y.value
