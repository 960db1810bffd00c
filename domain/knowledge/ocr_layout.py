"""Put recognised lines into reading order and paragraphs: columns one after the other, rows of tables across."""

import math
import re
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

_BULLET = re.compile(r"^\s*(?:[•◦▪●■‣–*·-]\s|\(?\d{1,3}[.)]\s)")  # noqa: RUF001 (punctuation of other scripts is meant)
_SENTENCE_END = re.compile(r"[.!?:;。！？]['\"”’)\]]*$")  # noqa: RUF001 (punctuation of other scripts is meant)
_BROKEN_WORD = re.compile(r"[^\W\d_]-$")
_UNSPACED = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")
"""Chinese and Japanese: no space where a line ends."""

_LONG = 6
"""Times its height: a line this wide is prose, a narrower one may be the cell of a table."""

_CELL_GAP = 2
"""Times its height: pieces of a row this far apart are cells of a table, not words of a sentence."""

_FEWEST_LINES = 3
"""Long lines each side of a gap that make it the gutter between two columns."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text on the page. corners: from top left clockwise, in pixels."""

    text: str
    confidence: float
    corners: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class _Box:
    left: float
    top: float
    right: float
    bottom: float
    text: str
    has_cells: bool = False

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2

    @property
    def is_long(self) -> bool:
        return self.width >= _LONG * self.height


def page_text(pieces: Sequence[Piece]) -> str:
    """The pieces' texts in reading order: paragraphs with a blank line between two."""
    slope = _slope(pieces)
    boxes = [_box(piece, slope) for piece in pieces]
    return "\n\n".join(paragraph for region in _regions(boxes) for paragraph in _paragraphs(_rows(region)))


def _slope(pieces: Sequence[Piece]) -> float:
    """The page's skew in radians: what half of the long lines exceed."""
    angles = []
    for piece in pieces:
        (x0, y0), (x1, y1), _, (x3, y3) = piece.corners
        if math.hypot(x1 - x0, y1 - y0) > _LONG * math.hypot(x3 - x0, y3 - y0):
            angles.append(math.atan2(y1 - y0, x1 - x0))
    return statistics.median(angles) if angles else 0.0


def _box(piece: Piece, slope: float) -> _Box:
    """Where the piece would be on a page without skew. The height is that of its ends, not of a slanted whole."""
    cos, sin = math.cos(-slope), math.sin(-slope)
    turned = [(x * cos - y * sin, x * sin + y * cos) for x, y in piece.corners]
    tops, bottoms = (turned[0][1] + turned[1][1]) / 2, (turned[2][1] + turned[3][1]) / 2
    return _Box(
        min(x for x, _ in turned), min(tops, bottoms), max(x for x, _ in turned), max(tops, bottoms), piece.text
    )


def _regions(boxes: list[_Box], depth: int = 0) -> Iterator[list[_Box]]:
    """Stretches of one column each, in reading order."""
    gutter = _gutter(boxes) if depth < 8 else None
    if gutter is None:
        yield boxes
        return
    x, top, bottom = gutter
    inside = [box for box in boxes if top < box.middle < bottom]
    parts = (
        [box for box in boxes if box.middle <= top],
        [box for box in inside if box.left < x],
        [box for box in inside if box.left >= x],
        [box for box in boxes if box.middle >= bottom],
    )
    for part in parts:
        if part:
            yield from _regions(part, depth + 1)


def _gutter(boxes: list[_Box]) -> tuple[float, float, float] | None:
    """Of the gaps between two columns the one with most lines beside it: its x, and from where to where it goes."""
    best: tuple[float, float, float] | None = None
    most = _FEWEST_LINES - 1
    ordered = sorted(boxes, key=lambda box: box.middle)
    for x in sorted({box.left for box in boxes if box.is_long}):
        start = -math.inf
        run: list[_Box] = []
        for box in [*ordered, None]:
            if box is not None and not box.left < x < box.right:
                run.append(box)
                continue
            lines = _beside(run, x)
            if lines > most:
                most, best = lines, (x, start, box.middle if box is not None else math.inf)
            if box is not None:
                start, run = box.middle, []
    return best


def _beside(run: Sequence[_Box], x: float) -> int:
    """Long lines on the poorer side, or 0 where this is no gutter between two columns of prose."""
    sides = [box for box in run if box.left < x], [box for box in run if box.left >= x]
    long = [[box for box in side if box.is_long] for side in sides]
    fewest = min(len(each) for each in long)
    if fewest < _FEWEST_LINES or any(len(each) * 2 < len(side) for each, side in zip(long, sides, strict=True)):
        return 0
    gap = min(box.left for box in sides[1]) - max(box.right for box in sides[0])
    shared = min(side[-1].middle for side in long) - max(side[0].middle for side in long)
    shorter = min(side[-1].middle - side[0].middle for side in long)
    if gap < 0 or shared < shorter / 2:
        return 0
    return fewest


def _rows(region: Sequence[_Box]) -> list[_Box]:
    """Pieces of one height on the page as one row, from left to right."""
    rows: list[list[_Box]] = []
    for box in sorted(region, key=lambda box: box.middle):
        row = rows[-1] if rows else []
        if row and box.middle - statistics.fmean(b.middle for b in row) < min(box.height, row[-1].height) / 2:
            row.append(box)
        else:
            rows.append([box])
    return [_across(sorted(row, key=lambda box: box.left)) for row in rows]


def _across(row: Sequence[_Box]) -> _Box:
    return _Box(
        row[0].left,
        min(box.top for box in row),
        max(box.right for box in row),
        max(box.bottom for box in row),
        " ".join(box.text.strip() for box in row),
        any(after.left - box.right > _CELL_GAP * box.height for box, after in pairwise(row)),
    )


def _paragraphs(rows: Sequence[_Box]) -> Iterator[str]:
    if not rows:
        return
    left, right = min(row.left for row in rows), max(row.right for row in rows)
    pitch = _pitch(rows)
    held = rows[0].text
    for above, row in pairwise(rows):
        full = above.right > right - 0.2 * (right - left)
        ended = bool(_SENTENCE_END.search(above.text))
        starts = row.left - left > row.height and above.left - left < row.height / 2
        taller = max(row.height, above.height) > 1.4 * min(row.height, above.height)
        if row.middle - above.middle > 1.4 * pitch or taller or (ended and (not full or starts)):
            yield held
            held = row.text
        elif not full or above.has_cells or row.has_cells or _BULLET.match(row.text):
            held += "\n" + row.text
        else:
            held = _joined(held, row.text)
    yield held


def _pitch(rows: Sequence[_Box]) -> float:
    """From one line to the next inside a paragraph: the lower quarter, as headings and gaps are larger.

    At most what double spacing gives, or two lines far apart would be the measure of themselves.
    """
    sizes = sorted(row.middle - above.middle for above, row in pairwise(rows))
    return min(sizes[len(sizes) // 4], 2.2 * statistics.median(row.height for row in rows)) if sizes else 0.0


def _joined(text: str, more: str) -> str:
    if _BROKEN_WORD.search(text) and more[:1].islower():
        return text[:-1] + more
    if _UNSPACED.match(text[-1:]) and _UNSPACED.match(more[:1]):
        return text + more
    return f"{text} {more}"
