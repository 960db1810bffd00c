"""Read HTML and Markdown into blocks: headings, prose, tables and code. Nothing is fetched or run."""

import re
from dataclasses import replace
from html.parser import HTMLParser

from domain.knowledge.extract import Block, Content

_SKIPPED = {"script", "style", "noscript", "template", "svg", "iframe", "object", "nav", "select", "button", "canvas"}
_ENDS_PARAGRAPH = {
    *("p", "div", "section", "article", "main", "aside", "header", "footer", "dl", "dd", "dt", "table"),
    *("blockquote", "figure", "figcaption", "hr", "form", "fieldset", "details", "summary", "body", "address"),
}
_CLOSED = {"div", "section", "span", "aside", "form"}  # always written with an end tag, so `hidden` has an end
_LISTS = {"ul", "ol", "menu"}
_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_EMPTY_ITEM = re.compile(r"(\n(?:-|\d+\.) )\s*\n")  # a paragraph inside an item starts on the item's line
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
        self._lists: list[int | None] = []  # the number of the last item, None where items have bullets
        self._rows: list[list[str]] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        hidden = tag in _SKIPPED or (tag in _CLOSED and any(name == "hidden" for name, _ in attrs))
        if tag not in _VOID and (hidden or self._skipping):
            self._skipping.append(tag)
        elif tag == "title":
            self._in_title = True
        elif tag == "br":
            self._text.append("\n")
        elif self._rows is not None and tag in {"td", "th", "tr"}:
            self._start_cell(self._rows, tag)
        elif tag == "li":
            self._start_item()
        else:
            self._start_block(tag)

    def _start_block(self, tag: str) -> None:
        if tag == "table":
            self.flush()
            self._rows = []
        elif tag in _HEADINGS:
            self.flush()
            self._heading, self._lists = _HEADINGS[tag], []
        elif tag == "pre":
            self.flush()
            self._in_pre = True
        elif tag in _LISTS:
            self._end_paragraph()
            self._lists.append(0 if tag == "ol" else None)
        elif tag in _ENDS_PARAGRAPH:
            self._end_paragraph()

    def handle_endtag(self, tag: str) -> None:
        if self._skipping:
            if tag in self._skipping:
                del self._skipping[len(self._skipping) - 1 - self._skipping[::-1].index(tag) :]
        elif tag == "title":
            self._in_title = False
        elif tag == "table" and self._rows is not None:
            self._end_cell()
            self._end_table(self._rows)
        elif tag in _HEADINGS:
            self.flush()
        elif tag == "pre":
            self.flush()
            self._in_pre = False
        elif tag in _LISTS:
            self._lists = self._lists[:-1]
            self._end_paragraph()
        elif tag in _ENDS_PARAGRAPH:
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
            lines = (" ".join(line.split()) for line in _EMPTY_ITEM.sub(r"\1", text).split("\n"))
            self.blocks.append(Block("prose", "\n".join(filter(None, lines))))

    def _end_paragraph(self) -> None:
        if self._in_pre or self._heading:
            return
        if self._rows is not None:
            self._text.append(" ")
        elif self._lists:
            # A list stays one block, so that its items are found together.
            self._text.append("\n")
        else:
            self.flush()

    def _start_item(self) -> None:
        if self._rows is not None:
            self._text.append(" ")
            return
        number = self._lists[-1] if self._lists else None
        if number is None:
            self._text.append("\n- ")
        else:
            self._lists[-1] = number + 1
            self._text.append(f"\n{number + 1}. ")

    def _start_cell(self, rows: list[list[str]], tag: str) -> None:
        self._end_cell()
        if tag == "tr" or not rows:
            rows.append([])

    def _end_cell(self) -> None:
        text = _one_line("".join(self._text))
        self._text = []
        if self._rows and text:
            self._rows[-1].append(text)

    def _end_table(self, rows: list[list[str]]) -> None:
        self._rows = None
        self.blocks.append(Block("code", "\n".join(" | ".join(row) for row in rows if row)))


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()
