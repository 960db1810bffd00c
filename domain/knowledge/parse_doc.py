"""Read a document of Word 97 to 2003: paragraphs, headings, tables, notes. Lists have bullets for any mark.

The places of things are those of [MS-DOC], sections 2.5 (the header), 2.8 (what is where) and 2.9 (pieces).
"""

import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from domain.errors import DocumentUnreadable
from domain.knowledge.compound import Compound
from domain.knowledge.doc_text import pieces, shown
from domain.knowledge.extract import Block, Content
from domain.knowledge.table import table

_HEADINGS = range(1, 10)
"""Numbers of the styles "heading 1" to "heading 9" in every document."""

_ROW_END, _LIST, _LIST_LEVEL = 0x2417, 0x460B, 0x260A
_OPERAND_BYTES = {0: 1, 1: 1, 2: 2, 3: 4, 4: 2, 5: 2, 7: 3}
_PAGE = 512


@dataclass(frozen=True, slots=True)
class _Paragraph:
    style: int = 0
    ends_row: bool = False
    listed: bool = False
    level: int = 0


def read_doc(data: bytes) -> Content:
    """Raises DocumentUnreadable."""
    file = Compound(data)
    main = file.stream("WordDocument")
    if len(main) < 0x200 or main[:2] != b"\xec\xa5":
        raise DocumentUnreadable("the Word document is corrupt, or older than Word 97")
    (flags,) = struct.unpack_from("<H", main, 0x0A)
    if flags & 0x0100:
        raise DocumentUnreadable("the file is encrypted; upload it without its password")
    tables = file.stream("1Table" if flags & 0x0200 else "0Table")
    try:
        blocks = list(_Reader(main, tables).blocks())
    except (struct.error, IndexError) as error:
        raise DocumentUnreadable("the Word document is corrupt: its text breaks off") from error
    title = next((block.text for block in blocks if block.kind == "heading"), "")
    return Content(title, blocks)


class _Reader:
    def __init__(self, main: bytes, tables: bytes) -> None:
        self._main = main
        start, length = struct.unpack_from("<II", main, 0x01A2)
        self._pieces = pieces(tables[start : start + length])
        self._starts, self._paragraphs = self._properties(tables)

    def blocks(self) -> Iterator[Block]:
        rows: list[list[str]] = []
        cells: list[str] = []
        cell: list[str] = []
        items: list[str] = []
        for text, mark, found in self._texts():
            if mark == "\x07" and found.ends_row:
                rows.append(cells)
                cells = []
                continue
            if mark == "\x07":
                cells.append(" ".join([*cell, text]))
                cell = []
                continue
            if rows and not cells:
                # A paragraph after whole rows is below the table, or the next row's first.
                held, rows = rows, []
                yield from table(held)
            if cells:
                cell.append(text)
                continue
            if items and not found.listed:
                yield Block("prose", "\n".join(items))
                items = []
            if found.listed and text.strip():
                items.append("  " * found.level + f"- {text.strip()}")
            elif found.style in _HEADINGS:
                yield Block("heading", text, min(6, found.style))
            else:
                yield Block("prose", text)
        yield from table([*rows, cells] if cells else rows)
        yield Block("prose", "\n".join(items))

    def _texts(self) -> Iterator[tuple[str, str, _Paragraph]]:
        """Paragraphs of the text and its notes, each with the character that ends it."""
        counts = struct.unpack_from("<8I", self._main, 0x4C)
        headers = (counts[0] + counts[1], counts[0] + counts[1] + counts[2])
        remarks = (headers[1] + counts[3], headers[1] + counts[3] + counts[4])
        whole = sum(counts[:7])
        text = ""
        for piece in self._pieces:
            for place, character in enumerate(piece.text(self._main), start=piece.start):
                if place >= whole or headers[0] <= place < headers[1] or remarks[0] <= place < remarks[1]:
                    continue
                if character in "\r\x07\x0c":
                    yield shown(text), character, self._at(piece.offset(place))
                    text = ""
                else:
                    text += character
        yield shown(text), "\r", _Paragraph()

    def _at(self, offset: int) -> _Paragraph:
        index = bisect_right(self._starts, offset) - 1
        return self._paragraphs[index] if index >= 0 else _Paragraph()

    def _properties(self, tables: bytes) -> tuple[list[int], list[_Paragraph]]:
        """Where in the file paragraphs start, and what they are."""
        start, length = struct.unpack_from("<II", self._main, 0x0102)
        count = max(0, (length - 4) // 8)
        pages = struct.unpack_from(f"<{count}I", tables, start + 4 * (count + 1)) if count else ()
        found: dict[int, _Paragraph] = {}
        for number in pages:
            page = self._main[(number & 0x3FFFFF) * _PAGE :][:_PAGE]
            runs = page[_PAGE - 1]
            offsets = struct.unpack_from(f"<{runs}I", page)
            for run, offset in enumerate(offsets):
                found[offset] = _paragraph(page, page[4 * (runs + 1) + 13 * run] * 2)
        return sorted(found), [found[offset] for offset in sorted(found)]


def _paragraph(page: bytes, place: int) -> _Paragraph:
    if not place:
        return _Paragraph()
    length = page[place] * 2 - 1 if page[place] else page[place + 1] * 2
    begin = place + 1 if page[place] else place + 2
    properties = page[begin : begin + length]
    (style,) = struct.unpack_from("<H", properties)
    set_to = dict(_changes(properties[2:]))
    listed = 0 < set_to.get(_LIST, 0) < 0xF801
    return _Paragraph(style, bool(set_to.get(_ROW_END)), listed, min(8, set_to.get(_LIST_LEVEL, 0)))


def _changes(properties: bytes) -> Iterator[tuple[int, int]]:
    """Codes of what is set, each with its value as far as it is a number."""
    place = 0
    while place + 2 <= len(properties):
        (code,) = struct.unpack_from("<H", properties, place)
        place += 2
        length = _OPERAND_BYTES.get(code >> 13)
        if length is None:
            wide = code == 0xD608  # the one whose length has two bytes
            head = properties[place : place + 2] if wide else properties[place : place + 1]
            length = int.from_bytes(head, "little") + 1
        yield code, int.from_bytes(properties[place : place + min(length, 4)], "little")
        place += length
