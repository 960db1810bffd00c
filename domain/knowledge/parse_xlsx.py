"""Read an Excel workbook: a sheet is a page with its name as heading, its cells are tables as they are shown."""

import re
from collections.abc import Iterator
from datetime import datetime
from xml.etree.ElementTree import Element

from domain.errors import DocumentUnreadable
from domain.knowledge.extract import Block, Content
from domain.knowledge.ooxml_chart import charts
from domain.knowledge.package import Package, attribute, child, children, complete, integer, local
from domain.knowledge.sheet import CellCount, Grid, format_kind, repeat, shown_number
from domain.knowledge.table import sparse_tables

_DATE_FORMATS = {*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)}
_PERCENT_FORMATS = {9, 10}
_REFERENCE = re.compile(r"([A-Z]{1,3})(\d{1,7})")


def read_xlsx(package: Package) -> Content:
    """Raises DocumentUnreadable. Hidden sheets are left out: a reader does not see them."""
    return _Workbook(package).content()


class _Workbook:
    def __init__(self, package: Package) -> None:
        self._package = package
        self._part = package.main_part() or "xl/workbook.xml"
        self._relations = package.relations(self._part)
        self._count = CellCount()
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
                row, column = integer(element.get("r"), row + 1), 0
                for cell in children(element, "c"):
                    place = _REFERENCE.fullmatch(cell.get("r") or "")
                    column = _column(place[1]) if place else column + 1
                    if text := self._shown(cell):
                        self._count.add()
                        grid.setdefault(row, {})[column] = text
                element.clear()
            elif name == "mergeCell":
                merged.append(element.get("ref") or "")
        for area in merged:
            corners = [_REFERENCE.fullmatch(corner) for corner in area.split(":")]
            if len(corners) == 2 and corners[0] and corners[1]:
                (left, top), (right, bottom) = corners[0].groups(), corners[1].groups()
                repeat(grid, int(top), _column(left), int(bottom), _column(right))
        return grid

    def _shown(self, cell: Element) -> str:
        kind = cell.get("t", "n")
        if kind == "inlineStr":
            inline = child(cell, "is")
            return "" if inline is None else _text(inline)
        value = child(cell, "v")
        raw = (value.text or "") if value is not None else ""
        if kind == "s":
            return self._strings[index] if 0 <= (index := integer(raw, -1)) < len(self._strings) else ""
        if kind == "b":
            return {"1": "TRUE", "0": "FALSE"}.get(raw, raw)
        if kind in {"str", "e", "d"} or not raw:
            return raw
        return self._number(raw, self._formats.get(integer(cell.get("s"), 0), ""))

    def _number(self, raw: str, style: str) -> str:
        try:
            number = float(raw)
        except ValueError:
            return raw
        return shown_number(number, style, self._day_zero)

    def _read_formats(self) -> dict[int, str]:
        """By the number of a cell's style: "date", "percent" or nothing."""
        parts = {local(each): each for each in self._of_kind("styles")}
        own = {}
        for each in children(parts.get("numFmts"), "numFmt"):
            own[integer(each.get("numFmtId"), 0)] = format_kind(each.get("formatCode") or "")
        found = {}
        for index, style in enumerate(children(parts.get("cellXfs"), "xf")):
            number = integer(style.get("numFmtId"), 0)
            built_in = "date" if number in _DATE_FORMATS else "percent" if number in _PERCENT_FORMATS else ""
            found[index] = own.get(number, built_in)
        return found


def _elements(data: bytes) -> Iterator[Element]:
    """Rows and merged areas of a sheet, each when it is complete."""
    return (element for element in complete(data) if local(element) in {"row", "mergeCell"})


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
