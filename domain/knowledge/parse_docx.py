"""Read a Word document: headings, lists with their numbers, tables, text boxes, charts, notes and formulas.

Its pages are those of Word's last layout, and 0 where no layout was stored. Comments, deleted text, page headers
and footers are left out.
"""

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from domain.errors import DocumentUnreadable
from domain.knowledge.docx_style import Styles
from domain.knowledge.extract import Block, Content
from domain.knowledge.ooxml_chart import charts
from domain.knowledge.ooxml_math import formula
from domain.knowledge.package import Package, Relation, attribute, child, children, integer, local
from domain.knowledge.table import table

_LEFT_OUT = {"Fallback", "del", "moveFrom", "instrText", "delText", "pPr", "rPr", "sectPr", "commentReference"}
_WRAPPERS = {"sdt", "sdtContent", "customXml", "ins", "moveTo", "smartTag", "AlternateContent", "Choice"}
_CHARACTERS = {"tab": "\t", "ptab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
_MOST_SPAN = 64
"""Columns of a Word table, by Word itself."""


def read_docx(package: Package) -> Content:
    """Raises DocumentUnreadable."""
    part = package.main_part() or "word/document.xml"
    body = child(package.xml(part), "body")
    if body is None:
        raise DocumentUnreadable("the Word document is corrupt: its text is missing")
    relations = package.relations(part)
    parts = {each.kind: each.target for each in relations.values()}
    styles = Styles(package.xml(parts.get("styles", "")), package.xml(parts.get("numbering", "")))
    reader = _Reader(package, relations, styles)
    blocks = list(reader.read(body))
    for kind in ("footnotes", "endnotes"):
        for note in package.xml(parts.get(kind, "")) or ():
            if attribute(note, "type") is None:
                blocks += reader.read(note)
    title = next((block.text for block in blocks if block.kind == "heading" and block.level == 1), "")
    laid_out = reader.page > 1
    if not laid_out:
        blocks = [Block(block.kind, block.text, block.level) for block in blocks]
    return Content(title, blocks, reader.page if laid_out else 0)


class _Reader:
    def __init__(self, package: Package, relations: dict[str, Relation], styles: Styles) -> None:
        self._package = package
        self._relations = relations
        self._styles = styles
        self.page = 1

    def read(self, parent: Element) -> Iterator[Block]:
        """A list is one block, so that its items are found together."""
        items: list[str] = []
        start = self.page
        for element in _unwrapped(parent):
            name = local(element)
            place = self._styles.place(child(element, "pPr")) if name == "p" else None
            if place is None or place.level < 0:
                if items:
                    yield Block("prose", "\n".join(items), page=start)
                items = []
            if name == "tbl":
                yield from self._table(element)
            if place is None:
                continue
            page = self.page
            text, besides = self._paragraph(element)
            if place.level >= 0 and text.strip():
                start = start if items else page
                items.append("  " * place.level + f"{place.marker} {text.strip()}")
            elif place.heading and text.strip():
                yield Block("heading", f"{place.marker} {text}".strip(), place.heading, page)
            else:
                yield Block("prose", text, page=page)
            if besides and items:
                yield Block("prose", "\n".join(items), page=start)
                items = []
            yield from besides
        if items:
            yield Block("prose", "\n".join(items), page=start)

    def _paragraph(self, paragraph: Element) -> tuple[str, list[Block]]:
        """Its text, and the text boxes and charts that hang on it."""
        text: list[str] = []
        besides: list[Block] = []
        self._run(paragraph, text, besides)
        return "".join(text), besides

    def _run(self, parent: Element, text: list[str], besides: list[Block]) -> None:
        for element in parent:
            name = local(element)
            if name == "t":
                text.append(element.text or "")
            elif name in _CHARACTERS:
                text.append(_CHARACTERS[name])
            elif name in {"oMath", "oMathPara"}:
                text.append(formula(element))
            elif name == "lastRenderedPageBreak":
                self.page += 1
            elif name == "txbxContent":
                besides += self.read(element)
            elif name == "chart":
                relation = self._relations.get(attribute(element, "id") or "")
                besides += charts(self._package, [relation.target] if relation else [], self.page)
            elif name not in _LEFT_OUT:
                self._run(element, text, besides)

    def _table(self, element: Element) -> Iterator[Block]:
        rows = [row for row in _unwrapped(element) if local(row) == "tr"]
        cells = [cell for row in rows for cell in _unwrapped(row) if local(cell) == "tc"]
        if len(cells) == 1:
            # A table of one cell is a frame around text.
            yield from self.read(cells[0])
            return
        page = self.page
        grid: list[list[str]] = []
        for row in rows:
            grid.append(self._row(row, grid[-1] if grid else []))
        yield from table(grid, page)

    def _row(self, row: Element, above: list[str]) -> list[str]:
        """Texts of a row's cells, those of merged cells in each of their places."""
        properties = child(row, "trPr")
        line = [""] * _span(properties, "gridBefore", 0)
        for cell in (each for each in _unwrapped(row) if local(each) == "tc"):
            own = child(cell, "tcPr")
            merged = child(own, "vMerge")
            goes_on = merged is not None and attribute(merged, "val") != "restart"
            text = " ".join(" ".join(block.text.split()) for block in self.read(cell))
            for _ in range(_span(own, "gridSpan", 1)):
                line.append(above[len(line)] if goes_on and len(line) < len(above) else text)
        return line + [""] * _span(properties, "gridAfter", 0)


def _unwrapped(parent: Element) -> Iterator[Element]:
    """Children, with those of wrappers that show nothing themselves."""
    for element in parent:
        if local(element) in _WRAPPERS:
            yield from _unwrapped(element)
        else:
            yield element


def _span(properties: Element | None, name: str, otherwise: int) -> int:
    found = next(iter(children(properties, name)), None)
    number = attribute(found, "val") if found is not None else None
    return min(_MOST_SPAN, max(0, integer(number, otherwise)))
