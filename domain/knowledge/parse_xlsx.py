"""Read an Excel workbook: a sheet is a page with its name as heading, its cells are tables as they are shown."""

import io
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from xml.etree.ElementTree import Element, iterparse

from domain.errors import DocumentUnreadable
from domain.knowledge.extract import Block, Content
from domain.knowledge.ooxml_chart import charts
from domain.knowledge.package import Package, attribute, child, children, local, refuse_entities
from domain.knowledge.table import plain_number, sparse_tables

MOST_CELLS = 1_000_000
"""Cells with text of one workbook, 20 MB of text or so: what is larger is a database and belongs in one."""

_MOST_MERGED = 10_000
"""Cells that one merged area repeats its text in."""

_DATE_FORMATS = {*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)}
_PERCENT_FORMATS = {9, 10}
_LITERALS = re.compile(r'"[^"]*"|\\.|\[(?!h+\]|m+\]|s+\])[^\]]*\]|_.|\*.', re.IGNORECASE)
_REFERENCE = re.compile(r"([A-Z]{1,3})(\d{1,7})")

Grid = dict[int, dict[int, str]]
"""Texts by row and column, both from 1."""


def read_xlsx(package: Package) -> Content:
    """Raises DocumentUnreadable. Hidden sheets are left out: a reader does not see them."""
    return _Workbook(package).content()


class _Workbook:
    def __init__(self, package: Package) -> None:
        self._package = package
        self._part = package.main_part() or "xl/workbook.xml"
        self._relations = package.relations(self._part)
        self._cells = 0
        tree = package.xml(self._part)
        if tree is None:
            raise DocumentUnreadable("the workbook is corrupt: its list of sheets is missing")
        self._sheets = children(child(tree, "sheets"), "sheet")
        properties = child(tree, "workbookPr")
        from_1904 = properties is not None and properties.get("date1904") in {"1", "true"}
        # Day 60 of the other calendar is 29 February 1900, which never was; hardly a date is that old.
        self._day_zero = datetime(1904, 1, 1) if from_1904 else datetime(1899, 12, 30)  # noqa: DTZ001 (days have no zone)
        self._strings = [_text(each) for each in self._of_kind("sharedStrings")]
        self._formats = self._read_formats()

    def content(self) -> Content:
        blocks: list[Block] = []
        for page, sheet in enumerate(self._sheets, start=1):
            if sheet.get("state", "visible") != "visible":
                continue
            relation = self._relations.get(attribute(sheet, "id") or "")
            if relation is None:
                continue
            found = self._sheet(relation.target, page)
            if any(block.text.strip() for block in found):
                blocks += [Block("heading", sheet.get("name", ""), 1, page), *found]
        return Content("", blocks, len(self._sheets))

    def _of_kind(self, kind: str) -> list[Element]:
        target = next((each.target for each in self._relations.values() if each.kind == kind), "")
        tree = self._package.xml(target) if target else None
        return [] if tree is None else list(tree)

    def _sheet(self, part: str, page: int) -> list[Block]:
        grid = self._grid(part)
        blocks = sparse_tables(sorted(grid.items()), page)
        for drawing in self._package.relations(part).values():
            if drawing.kind == "drawing":
                drawn = self._package.relations(drawing.target).values()
                blocks += charts(self._package, (each.target for each in drawn if each.kind == "chart"), page)
        return blocks

    def _grid(self, part: str) -> Grid:
        grid: Grid = {}
        merged: list[str] = []
        row = column = 0
        # Row by row, so that a large sheet never stands in memory as a tree.
        for element in _elements(self._package.read(part)):
            name = local(element)
            if name == "row":
                row, column = int(element.get("r") or row + 1), 0
                for cell in children(element, "c"):
                    place = _REFERENCE.fullmatch(cell.get("r") or "")
                    column = _column(place[1]) if place else column + 1
                    if text := self._shown(cell):
                        self._count()
                        grid.setdefault(row, {})[column] = text
                element.clear()
            elif name == "mergeCell":
                merged.append(element.get("ref") or "")
        for area in merged:
            _repeat(grid, area)
        return grid

    def _count(self) -> None:
        self._cells += 1
        if self._cells > MOST_CELLS:
            raise DocumentUnreadable(f"the workbook has more than {MOST_CELLS:,} cells; upload a part of it")

    def _shown(self, cell: Element) -> str:
        kind = cell.get("t", "n")
        if kind == "inlineStr":
            inline = child(cell, "is")
            return "" if inline is None else _text(inline)
        value = child(cell, "v")
        raw = (value.text or "") if value is not None else ""
        if kind == "s":
            return self._strings[int(raw)] if raw.isdigit() and int(raw) < len(self._strings) else ""
        if kind == "b":
            return {"1": "TRUE", "0": "FALSE"}.get(raw, raw)
        if kind in {"str", "e", "d"} or not raw:
            return raw
        return self._number(raw, self._formats.get(int(cell.get("s") or 0), ""))

    def _number(self, raw: str, style: str) -> str:
        try:
            number = float(raw)
        except ValueError:
            return raw
        if style == "date" and 0 <= number < 2_958_466:  # the last day of the year 9999
            return _moment(self._day_zero, number)
        return f"{number * 100:.12g}%" if style == "percent" else plain_number(number)

    def _read_formats(self) -> dict[int, str]:
        """By the number of a cell's style: "date", "percent" or nothing."""
        parts = {local(each): each for each in self._of_kind("styles")}
        own = {}
        for each in children(parts.get("numFmts"), "numFmt"):
            own[int(each.get("numFmtId") or 0)] = _format_kind(each.get("formatCode") or "")
        found = {}
        for index, style in enumerate(children(parts.get("cellXfs"), "xf")):
            number = int(style.get("numFmtId") or 0)
            built_in = "date" if number in _DATE_FORMATS else "percent" if number in _PERCENT_FORMATS else ""
            found[index] = own.get(number, built_in)
        return found


def _moment(day_zero: datetime, number: float) -> str:
    moment = day_zero + timedelta(seconds=round(number * 86_400))
    if number < 1:
        return f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"
    return f"{moment:%Y-%m-%d}" if number.is_integer() else f"{moment:%Y-%m-%d %H:%M:%S}"


def _format_kind(code: str) -> str:
    shown = _LITERALS.sub("", code.split(";", maxsplit=1)[0])
    if re.search(r"[ymdhs]", shown, re.IGNORECASE) and not re.search(r"[0#?]", re.sub(r"[sS]\.0+", "", shown)):
        return "date"
    return "percent" if "%" in shown else ""


def _elements(data: bytes) -> Iterator[Element]:
    """Rows and merged areas of a sheet, each when it is complete."""
    refuse_entities(data)
    events = iterparse(io.BytesIO(data)) if data else ()  # noqa: S314 (entities are refused above)
    for _, element in events:
        if local(element) in {"row", "mergeCell"}:
            yield element


def _repeat(grid: Grid, area: str) -> None:
    """The text of merged cells stands in each of them; a caption over a whole row stays one cell."""
    corners = [_REFERENCE.fullmatch(corner) for corner in area.split(":")]
    if len(corners) != 2 or corners[0] is None or corners[1] is None:
        return
    top, bottom = int(corners[0][2]), int(corners[1][2])
    left, right = _column(corners[0][1]), _column(corners[1][1])
    text = grid.get(top, {}).get(left, "")
    alone = top == bottom and len(grid.get(top, {})) == 1
    if not text or alone or (bottom - top + 1) * (right - left + 1) > _MOST_MERGED:
        return
    for row in range(top, bottom + 1):
        for column in range(left, right + 1):
            grid.setdefault(row, {}).setdefault(column, text)


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number


def _text(item: Element) -> str:
    """A string's runs, without the readings printed above Japanese words."""
    return "".join(
        part.text or "" for run in item for part in (run.iter() if local(run) == "r" else [run]) if local(part) == "t"
    )
