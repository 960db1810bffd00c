"""Read HTML and Markdown into blocks: headings, prose, tables and code. Nothing is fetched or run."""

import re
from dataclasses import replace
from html.parser import HTMLParser

from domain.knowledge.extract import Block, Content
from domain.knowledge.html_table import Grid, span
from domain.knowledge.sheet import CellCount
from domain.knowledge.table import table

_SKIPPED = {"script", "style", "noscript", "template", "svg", "iframe", "object", "nav", "select", "button", "canvas"}
_ENDS_PARAGRAPH = {
    *("p", "div", "section", "article", "main", "aside", "header", "footer", "dt", "dd", "table"),
    *(
        "blockquote",
        "figure",
        "figcaption",
        "hr",
        "form",
        "tr",
        "td",
        "th",
        "fieldset",
        "details",
        "summary",
        "body",
        "address",
    ),
}
_CLOSED = {
    "div",
    "section",
    "span",
    "aside",
    "form",
    "pre",
    "table",
    "ul",
    "ol",
    "article",
}  # always written with an end tag, so `hidden` has an end
_LISTS = {"ul", "ol", "menu", "dl"}
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_DEFINITIONS = {"dt", "dd"}
_MARKERS = ("- ", *(f"{digit}" for digit in range(10)))

_DEEPEST = 20
"""Lists inside lists that are indented each more than the last: page builders nest ten; thousands are an attack."""

_MOST_SKIPPED = 1_000
"""Elements inside one that is left out which must end before it: each end tag looks through them."""

_EMPTY_ITEM = re.compile(r"(\n *(?:-|\d+\.) )\s*\n")  # a paragraph inside an item starts on the item's line
_FRONT_MATTER = re.compile(r"\A---\s*\n(.*?)\n---\s*(?:\n|\Z)", re.DOTALL)
_FRONT_TITLE = re.compile(r"^title\s*:\s*[\"']?(.+?)[\"']?\s*$", re.MULTILINE | re.IGNORECASE)


def read_markdown(source: str) -> Content:
    """Front matter gives a title and is left out."""
    title = ""
    front = _FRONT_MATTER.match(source)
    if front is not None:
        named = _FRONT_TITLE.search(front[1])
        title = named[1] if named else ""
        source = source[front.end() :]
    from markdown_it import MarkdownIt  # noqa: PLC0415 (80 ms of a process that reads one file)

    rendered = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(source)
    content = read_html(rendered)
    return replace(content, title=title or content.title)


def read_html(source: str) -> Content:
    """Navigation, scripts and styles are left out."""
    reader = _Reader()
    reader.feed(source)
    reader.close()
    reader.flush()
    heading = next((b.text for b in reader.blocks if b.kind == "heading"), "")
    return Content(reader.title.strip() or heading, reader.blocks)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title = ""
        self.blocks: list[Block] = []
        self._text: list[str] = []
        self._skipping: list[str] = []
        self._in_title = False
        self._in_pre = False
        self._heading = 0
        self._cells = CellCount()
        self._lists: list[int | None] = []  # the number of the last item, None where items have bullets
        self._tables: list[Grid | None] = []  # those that are open, None for one that only places things

    @property
    def _grid(self) -> Grid | None:
        return self._tables[-1] if self._tables else None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        hidden = tag in _SKIPPED or (tag in _CLOSED and "hidden" in given)
        if tag not in _VOID and (hidden or self._skipping):
            if len(self._skipping) < _MOST_SKIPPED:
                self._skipping.append(tag)
        elif self._skipping:
            return
        elif tag == "title":
            self._in_title = True
        elif tag == "br":
            self._text.append("\n")
        elif tag == "img":
            self._text.append(f" {given.get('alt') or ''} ")
        elif self._grid is not None and tag in {"td", "th", "tr"}:
            self._start_cell(self._grid, tag, given)
        elif tag == "li":
            self._start_item()
        else:
            self._start_block(tag, given)

    def _start_block(self, tag: str, given: dict[str, str | None]) -> None:
        if tag == "table":
            self._start_table(given)
        elif tag in _HEADINGS and self._grid is None:
            self.flush()
            self._heading, self._lists = _HEADINGS[tag], []
        elif tag == "pre":
            if self._grid is None:
                self.flush()
                self._in_pre = True
        elif tag in _LISTS:
            self._end_paragraph()
            self._lists.append(_start(given) - 1 if tag == "ol" else None)
        elif tag in _DEFINITIONS and self._grid is None and not self._heading:
            self._text.append("\n" + "  " * (min(_DEEPEST, len(self._lists)) - 1) + ("- " if tag == "dd" else ""))
        elif tag in _ENDS_PARAGRAPH or tag in _HEADINGS:
            self._end_paragraph()

    def handle_endtag(self, tag: str) -> None:
        if self._skipping:
            if tag in self._skipping:
                del self._skipping[len(self._skipping) - 1 - self._skipping[::-1].index(tag) :]
        elif tag == "title":
            self._in_title = False
        elif tag == "table" and self._tables:
            self._end_table()
        elif tag == "caption":
            self._end_caption()
        elif tag in _HEADINGS and self._grid is None:
            self.flush()
        elif tag == "pre" and self._in_pre:
            self.flush()
            self._in_pre = False
        elif tag in _LISTS:
            del self._lists[-1:]
            self._end_paragraph()
        elif tag in _ENDS_PARAGRAPH or tag in _HEADINGS:
            self._end_paragraph()

    def handle_data(self, data: str) -> None:
        if self._skipping:
            return
        if self._in_title:
            self.title += data
        else:
            self._text.append(data if self._in_pre else re.sub(r"\s+", " ", data))

    def flush(self) -> None:
        """End the block in hand."""
        text = "".join(self._text)
        self._text = []
        if self._heading:
            self.blocks.append(Block("heading", _one_line(text), self._heading))
            self._heading = 0
        elif self._in_pre:
            self.blocks.append(Block("code", text))
        else:
            lines = (_inner_spaces(line) for line in _EMPTY_ITEM.sub(r"\1", text).split("\n"))
            self.blocks.append(Block("prose", "\n".join(filter(None, lines))))

    def _end_paragraph(self) -> None:
        if self._in_pre or self._heading:
            return
        if self._grid is not None:
            self._text.append(" ")
        elif self._lists:
            # A list stays one block, so that its items are found together.
            self._text.append("\n")
        else:
            self.flush()

    def _start_item(self) -> None:
        number = self._lists[-1] if self._lists else None
        marker = "-"
        if number is not None:
            self._lists[-1] = number + 1
            marker = f"{number + 1}."
        indent = "  " * (min(_DEEPEST, len(self._lists)) - 1)
        self._text.append(f" {marker} " if self._grid is not None else f"\n{indent}{marker} ")

    def _start_table(self, given: dict[str, str | None]) -> None:
        if self._grid is None:
            self.flush()
        else:
            # A table around a table places it on the page, as those of mails do: what is in it stands by itself.
            self._cut_table()
        self._tables.append(None if given.get("role") == "presentation" else Grid(self._cells))

    def _start_cell(self, grid: Grid, tag: str, given: dict[str, str | None]) -> None:
        grid.end_cell("".join(self._text))
        self._text = []
        if tag == "tr":
            grid.start_row()
        else:
            grid.start_cell(span(given, "colspan"), span(given, "rowspan"))

    def _end_table(self) -> None:
        self._cut_table()
        self._tables.pop()

    def _cut_table(self) -> None:
        grid = self._grid
        if grid is None:
            self.flush()
            return
        rest = grid.end_cell("".join(self._text))
        self._text = []
        self.blocks += [*table(grid.rows), Block("prose", rest)]
        grid.rows = []

    def _end_caption(self) -> None:
        self.blocks.append(Block("prose", _one_line("".join(self._text))))
        self._text = []


def _start(given: dict[str, str | None]) -> int:
    number = given.get("start") or "1"
    return int(number) if number.isdecimal() and len(number) < 10 else 1


def _inner_spaces(line: str) -> str:
    """A line with its indentation and single spaces."""
    text = " ".join(line.split())
    if not text:
        return ""
    return line[: len(line) - len(line.lstrip())] + text if text.startswith(_MARKERS) or line.startswith("  ") else text


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
