"""Read a presentation: a slide is a page, its title a heading. What an audience sees; not the speaker's notes."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from domain.errors import DocumentUnreadable
from domain.knowledge.extract import Block, Content
from domain.knowledge.ooxml_chart import charts
from domain.knowledge.package import Package, Relation, attribute, child, children, integer, local
from domain.knowledge.table import table

_NOT_CONTENT = {"dt", "ftr", "sldNum", "hdr"}
_MOST_SPAN = 75
"""Columns of a table in PowerPoint, by PowerPoint itself."""

_DEEPEST = 8
"""Level of a list, from 0, by PowerPoint itself."""


def read_pptx(package: Package) -> Content:
    """Raises DocumentUnreadable."""
    part = package.main_part() or "ppt/presentation.xml"
    slides = child(package.xml(part), "sldIdLst")
    if slides is None:
        raise DocumentUnreadable("the presentation is corrupt or has no slides")
    relations = package.relations(part)
    blocks: list[Block] = []
    for page, slide in enumerate(slides, start=1):
        relation = relations.get(_relation_id(slide))
        if relation is not None:
            blocks += _Slide(package, relation.target, page).blocks()
    title = next((block.text for block in blocks if block.kind == "heading"), "")
    return Content(title, blocks, len(slides))


class _Slide:
    def __init__(self, package: Package, part: str, page: int) -> None:
        self._package = package
        self._page = page
        self._relations: dict[str, Relation] = package.relations(part)
        self._tree = child(package.xml(part), "cSld", "spTree")

    def blocks(self) -> list[Block]:
        shapes = list(_shapes(self._tree)) if self._tree is not None else []
        # A title may stand anywhere in the file; on the slide it comes first.
        shapes.sort(key=lambda shape: _placeholder(shape) not in {"title", "ctrTitle"})
        return [block for shape in shapes for block in self._shape(shape)]

    def _shape(self, shape: Element) -> Iterator[Block]:
        kind = _placeholder(shape)
        if kind in _NOT_CONTENT:
            return
        body = child(shape, "txBody")
        if body is not None and kind in {"title", "ctrTitle"}:
            text = " ".join(" ".join(_paragraph(each).split()) for each in children(body, "p"))
            yield Block("heading", text, 1, self._page)
        elif body is not None:
            yield from _texts(body, listed=kind in {"", "obj"}, page=self._page)
        for element in shape.iter() if local(shape) == "graphicFrame" else ():
            if local(element) == "tbl":
                yield from table(_rows(element), self._page)
            elif local(element) == "chart":
                yield from charts(self._package, self._targets(element, "id"), self._page)
            elif local(element) == "relIds":
                yield from self._diagram(element)

    def _diagram(self, element: Element) -> Iterator[Block]:
        """The texts of a SmartArt, in the order they were written."""
        for name in self._targets(element, "dm"):
            points = children(child(self._package.xml(name), "ptLst"), "pt")
            texts = [" ".join(_paragraph(each) for each in children(child(pt, "t"), "p")) for pt in points]
            yield Block("prose", "\n".join(f"- {text.strip()}" for text in texts if text.strip()), page=self._page)

    def _targets(self, element: Element, name: str) -> list[str]:
        relation = self._relations.get(attribute(element, name) or "")
        return [relation.target] if relation is not None else []


def _shapes(tree: Element) -> Iterator[Element]:
    for element in tree:
        if local(element) in {"grpSp", "AlternateContent", "Choice"}:
            yield from _shapes(element)
        elif local(element) in {"sp", "graphicFrame", "cxnSp"}:
            yield element


def _placeholder(shape: Element) -> str | None:
    """The kind of a placeholder, "" for one of no kind, None for a shape that is none."""
    found = child(shape, "nvSpPr", "nvPr", "ph")
    return None if found is None else found.get("type", "")


def _relation_id(slide: Element) -> str:
    return next((value for key, value in slide.attrib.items() if key.endswith("}id")), "")


def _texts(body: Element, *, listed: bool, page: int) -> Iterator[Block]:
    """Paragraphs of a shape. In a placeholder for content they are a list unless they say otherwise."""
    paragraphs = [each for each in children(body, "p") if _paragraph(each).strip()]
    lines: list[str] = []
    items = False
    counts: dict[int, int] = {}
    for paragraph in paragraphs:
        properties = child(paragraph, "pPr")
        level = min(_DEEPEST, max(0, integer(properties.get("lvl"), 0))) if properties is not None else 0
        marker = _marker(properties, level, counts, listed=listed and len(paragraphs) > 1)
        if lines and bool(marker) != items:
            yield Block("prose", "\n".join(lines), page=page)
            lines = []
        items = bool(marker)
        lines.append("  " * level + f"{marker} {_paragraph(paragraph).strip()}" if marker else _paragraph(paragraph))
    yield Block("prose", "\n".join(lines), page=page)


def _marker(properties: Element | None, level: int, counts: dict[int, int], *, listed: bool) -> str:
    if child(properties, "buNone") is not None:
        return ""
    numbered = child(properties, "buAutoNum")
    if numbered is None:
        counts.pop(level, None)
        return "-" if listed or child(properties, "buChar") is not None else ""
    start = integer(numbered.get("startAt"), 1)
    counts[level] = counts[level] + 1 if level in counts else start
    return f"{counts[level]}."


def _paragraph(paragraph: Element) -> str:
    text = []
    for element in paragraph.iter():
        if local(element) == "t":
            text.append(element.text or "")
        elif local(element) in {"br", "tab"}:
            text.append("\n" if local(element) == "br" else "\t")
    return "".join(text)


def _rows(element: Element) -> list[list[str]]:
    """Merged cells say their text in each of their places."""
    grid: list[list[str]] = []
    for row in children(element, "tr"):
        line: list[str] = []
        for cell in children(row, "tc"):
            if cell.get("hMerge") in {"1", "true"} and line:
                line.append(line[-1])
            elif cell.get("vMerge") in {"1", "true"} and grid and len(line) < len(grid[-1]):
                line.append(grid[-1][len(line)])
            else:
                line.append(" ".join(_paragraph(each) for each in children(child(cell, "txBody"), "p")))
        grid.append(line[:_MOST_SPAN])
    return grid
