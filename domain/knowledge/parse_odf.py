"""Read an OpenDocument text, sheet or presentation. A sheet and a slide are pages; a text has none."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from domain.errors import DocumentUnreadable
from domain.knowledge.extract import Block, Content
from domain.knowledge.package import Package, attribute, child, children, integer, local
from domain.knowledge.sheet import CellCount
from domain.knowledge.table import sparse_tables, table

_LEFT_OUT = {"annotation", "tracked-changes", "notes", "sequence-decls", "forms", "desc", "title"}
_INVISIBLE = {"soft-page-break", "bookmark", "change"}
_MOST_REPEATED = 200
"""Times that one row or cell with text is repeated: a formatted sheet repeats its empty ones a million times."""


def read_odf(package: Package) -> Content:
    """Raises DocumentUnreadable."""
    if b"encryption-data" in package.read("META-INF/manifest.xml"):
        raise DocumentUnreadable("the file is encrypted; upload it without its password")
    tree = package.xml("content.xml")
    body = child(tree, "body")
    if tree is None or body is None or not len(body):
        raise DocumentUnreadable("the OpenDocument file is corrupt: its text is missing")
    reader = _Reader(tree, package.xml("styles.xml"))
    kind = local(body[0])
    if kind == "spreadsheet":
        pages = children(body[0], "table")
        blocks = [block for number, sheet in enumerate(pages, 1) for block in reader.sheet(sheet, number)]
    elif kind == "presentation":
        pages = children(body[0], "page")
        blocks = [block for number, slide in enumerate(pages, 1) for block in reader.slide(slide, number)]
    else:
        pages = []
        blocks = list(reader.blocks(body[0]))
    title = next((b.text for b in blocks if b.kind == "heading"), "") if kind != "spreadsheet" else ""
    return Content(title, blocks, len(pages))


class _Reader:
    def __init__(self, tree: Element, styles: Element | None) -> None:
        self._cells = CellCount()
        self._parents = {
            attribute(style, "name") or "": attribute(style, "parent-style-name") or ""
            for style in children(child(tree, "automatic-styles"), "style")
        }
        self._numbered: dict[str, set[int]] = {}
        for part in (tree, styles):
            for style in (each for each in (part.iter() if part is not None else ()) if local(each) == "list-style"):
                levels = {
                    integer(attribute(level, "level"), 1) - 1
                    for level in children(style, "list-level-style-number")
                    if attribute(level, "num-format")
                }
                self._numbered[attribute(style, "name") or ""] = levels
        self._counts: dict[tuple[str, int], int] = {}

    def blocks(self, parent: Element, page: int | None = None) -> Iterator[Block]:
        """Lists that follow each other are one block."""
        items: list[str] = []
        for element in parent:
            name = local(element)
            if name == "list":
                items += self._items(element, 0)
                continue
            if items and name not in _INVISIBLE:
                yield Block("prose", "\n".join(items), page=page)
                items = []
            if name == "h":
                yield Block("heading", self.text(element), _level(element), page)
            elif name == "p":
                yield from self._paragraph(element, page)
            elif name == "table":
                yield from table(self._rows(element), page)
            elif name not in _LEFT_OUT:
                yield from self.blocks(element, page)
        yield Block("prose", "\n".join(items), page=page)

    def slide(self, slide: Element, page: int) -> Iterator[Block]:
        frames = [each for each in slide if local(each) not in _LEFT_OUT]
        frames.sort(key=lambda frame: attribute(frame, "class") != "title")
        for frame in frames:
            if attribute(frame, "class") == "title":
                yield Block("heading", self.text(frame), 1, page)
            else:
                yield from self.blocks(frame, page)

    def sheet(self, sheet: Element, page: int) -> list[Block]:
        rows = list(enumerate(self._rows(sheet)))
        found = sparse_tables(((i, {c: text for c, text in enumerate(row) if text}) for i, row in rows), page)
        return [Block("heading", attribute(sheet, "name") or "", 1, page), *found] if found else []

    def text(self, parent: Element) -> str:
        parts = [parent.text or ""]
        for element in parent:
            name = local(element)
            if name == "s":
                parts.append(" " * min(100, integer(attribute(element, "c"), 1)))
            elif name in {"tab", "line-break"}:
                parts.append("\t" if name == "tab" else "\n")
            elif name not in _LEFT_OUT and name not in {"note", "frame"}:
                parts.append(self.text(element))
            parts.append(element.tail or "")
        return "".join(parts)

    def _paragraph(self, paragraph: Element, page: int | None) -> Iterator[Block]:
        """With the text of its notes and frames after it."""
        style = attribute(paragraph, "style-name") or ""
        named = {style, self._parents.get(style, "")}
        if named & {"Title", "Subtitle"}:
            yield Block("heading", self.text(paragraph), 1 if "Title" in named else 2, page)
        else:
            yield Block("prose", self.text(paragraph), page=page)
        for element in paragraph.iter():
            if local(element) in {"note-body", "text-box"}:
                yield from self.blocks(element, page)

    def _items(self, element: Element, depth: int, outer: str = "") -> Iterator[str]:
        """A list inside a list has its style, unless it names its own."""
        style = attribute(element, "style-name") or outer
        numbered = depth in self._numbered.get(style, ())
        goes_on = attribute(element, "continue-numbering") == "true" or attribute(element, "continue-list")
        count = self._counts.get((style, depth), 0) if goes_on else 0
        for item in (each for each in element if local(each) in {"list-item", "list-header"}):
            texts = [self.text(part).strip() for part in item if local(part) in {"p", "h"}]
            if any(texts):
                count += 1
                marker = f"{count}." if numbered else "-"
                yield "  " * depth + f"{marker} {' '.join(filter(None, texts))}"
            for part in children(item, "list"):
                yield from self._items(part, depth + 1, style)
        self._counts[style, depth] = count

    def _rows(self, element: Element) -> list[list[str]]:
        grid: list[list[str]] = []
        covered: dict[int, tuple[int, str]] = {}
        for row in element.iter():
            if local(row) != "table-row":
                continue
            line = self._row(row, covered)
            times = _repeated(row, "number-rows-repeated")
            grid += [line] * (min(times, _MOST_REPEATED) if any(line) else min(times, 1))
            self._cells.add(sum(map(bool, line)))
        return grid

    def _row(self, row: Element, covered: dict[int, tuple[int, str]]) -> list[str]:
        """covered: by column, the text of a cell that reaches over it, and for how many rows it still does."""
        line: list[str] = []
        for cell in row:
            kind = local(cell)
            if kind not in {"table-cell", "covered-table-cell"}:
                continue
            text = " ".join(" ".join(block.text.split()) for block in self.blocks(cell))
            wide = min(_MOST_REPEATED, _repeated(cell, "number-columns-spanned"))
            high = _repeated(cell, "number-rows-spanned")
            for _ in range(min(_repeated(cell, "number-columns-repeated"), _MOST_REPEATED)):
                left, over = covered.pop(len(line), (0, ""))
                reaches = kind == "covered-table-cell" and left > 0
                if reaches and left > 1:
                    covered[len(line)] = (left - 1, over)
                for place in range(len(line), len(line) + wide) if wide * high > 1 else ():
                    covered[place] = (high - (place == len(line)), text)
                line.append(over if reaches else text)
        return line


def _level(heading: Element) -> int:
    return min(6, max(1, integer(attribute(heading, "outline-level"), 1)))


def _repeated(element: Element, name: str) -> int:
    return max(0, integer(attribute(element, name), 1))
