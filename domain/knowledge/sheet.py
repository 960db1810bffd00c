"""Show the cells of a sheet as a person sees them: dates, percents, merged areas. Not for any one file format."""

import re
from datetime import datetime, timedelta

from domain.errors import DocumentUnreadable
from domain.knowledge.table import plain_number

MOST_CELLS = 1_000_000
"""Cells with text of one workbook, 20 MB of text or so: what is larger is a database and belongs in one."""

_MOST_MERGED = 10_000
"""Cells that one merged area repeats its text in."""

_LITERALS = re.compile(r'"[^"]*"|\\.|\[(?!h+\]|m+\]|s+\])[^\]]*\]|_.|\*.', re.IGNORECASE)

Grid = dict[int, dict[int, str]]
"""Texts by row and column, both from 1."""


class CellCount:
    """Raises DocumentUnreadable when a file has more cells than are read."""

    def __init__(self) -> None:
        self._cells = 0

    def add(self, cells: int = 1) -> None:
        self._cells += cells
        if self._cells > MOST_CELLS:
            raise DocumentUnreadable(f"the file has more than {MOST_CELLS:,} cells; upload a part of it")


def shown_number(number: float, style: str, day_zero: datetime) -> str:
    """style: what `format_kind` says of the cell's format. day_zero: the day that the file counts from."""
    if style == "date" and 0 <= number < 2_958_466:  # the last day of the year 9999
        return _moment(day_zero, number)
    return f"{number * 100:.12g}%" if style == "percent" else plain_number(number)


def format_kind(code: str) -> str:
    """ "date", "percent" or nothing."""
    shown = _LITERALS.sub("", code.split(";", maxsplit=1)[0])
    if re.search(r"[ymdhs]", shown, re.IGNORECASE) and not re.search(r"[0#?]", re.sub(r"[sS]\.0+", "", shown)):
        return "date"
    return "percent" if "%" in shown else ""


def repeat(grid: Grid, top: int, left: int, bottom: int, right: int) -> None:
    """The text of merged cells stands in each of them; a caption over a whole row stays one cell."""
    text = grid.get(top, {}).get(left, "")
    alone = top == bottom and len(grid.get(top, {})) == 1
    if not text or alone or (bottom - top + 1) * (right - left + 1) > _MOST_MERGED:
        return
    for row in range(top, bottom + 1):
        for column in range(left, right + 1):
            grid.setdefault(row, {}).setdefault(column, text)


def _moment(day_zero: datetime, number: float) -> str:
    moment = day_zero + timedelta(seconds=round(number * 86_400))
    if number < 1:
        return f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"
    return f"{moment:%Y-%m-%d}" if number.is_integer() else f"{moment:%Y-%m-%d %H:%M:%S}"
