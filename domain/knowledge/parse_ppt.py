"""Read a presentation of PowerPoint 97 to 2003: a slide is a page. Speaker's notes and masters are left out.

The kinds of records are those of [MS-PPT] 2.13.24 and [MS-ODRAW] 2.1.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from domain.errors import DocumentUnreadable
from domain.knowledge.compound import Compound
from domain.knowledge.extract import Block, Content
from domain.knowledge.table import table

_LIST_OF_SLIDES, _SLIDE_IN_LIST, _DRAWING = 4080, 1011, 1036
_EDIT, _PLACES = 4085, 6002
_TEXT_KIND, _TEXT_WIDE, _TEXT_NARROW, _TEXT_ELSEWHERE = 3999, 4000, 4008, 3998
_GROUP, _SHAPE, _TEXT_BOX, _ANCHOR, _MORE_OPTIONS = 0xF003, 0xF004, 0xF00D, 0xF00F, 0xF122
_TABLE_OPTION = 0x039F
_TITLES = {0, 6}
_BODIES = {1, 5, 7, 8}
_MOST_EDITS = 1_000


@dataclass(frozen=True, slots=True)
class _Record:
    kind: int
    instance: int
    data: bytes
    holds_records: bool

    def parts(self) -> list["_Record"]:
        return list(_records(self.data)) if self.holds_records else []


@dataclass(frozen=True, slots=True)
class _Text:
    kind: int
    text: str
    box: tuple[int, int, int, int] | None = None
    """Top, left, bottom, right within its group."""


def read_ppt(data: bytes) -> Content:
    """Raises DocumentUnreadable."""
    file = Compound(data)
    user = file.stream("Current User")
    if user[12:16] == b"\xdf\xc4\xd1\xf3":
        raise DocumentUnreadable("the file is encrypted; upload it without its password")
    try:
        blocks, pages = _slides(file.stream("PowerPoint Document"), user)
    except (struct.error, KeyError, IndexError) as error:
        raise DocumentUnreadable("the presentation is corrupt: its slides cannot be found") from error
    title = next((block.text for block in blocks if block.kind == "heading"), "")
    return Content(title, blocks, pages)


def _slides(stream: bytes, user: bytes) -> tuple[list[Block], int]:
    (edit,) = struct.unpack_from("<I", user, 16)
    places, document = _places(stream, edit)
    lists = [each for each in _record(stream, places[document]).parts() if each.kind == _LIST_OF_SLIDES]
    listed = [each for each in lists if each.instance == 0]
    blocks: list[Block] = []
    page = 0
    held: list[_Text] = []
    slide = 0
    for record in [*(listed[0].parts() if listed else []), _Record(_SLIDE_IN_LIST, 0, bytes(4), False)]:
        if record.kind == _SLIDE_IN_LIST:
            if slide:
                page += 1
                blocks += _blocks(_record(stream, places[slide]), held, page)
            (slide,) = struct.unpack_from("<I", record.data)
            held = []
        else:
            _gather([record], held)
    return blocks, page


def _places(stream: bytes, edit: int) -> tuple[dict[int, int], int]:
    """Where each part stands in the stream by its number, as it was last saved, and the document's number."""
    places: dict[int, int] = {}
    document = 0
    for _ in range(_MOST_EDITS):
        record = _record(stream, edit)
        edit, directory, newest = struct.unpack_from("<III", record.data, 8)
        document = document or newest
        entries = _record(stream, directory).data
        at = 0
        while at + 4 <= len(entries):
            (head,) = struct.unpack_from("<I", entries, at)
            count = head >> 20
            for index, place in enumerate(struct.unpack_from(f"<{count}I", entries, at + 4)):
                places.setdefault((head & 0xFFFFF) + index, place)
            at += 4 + 4 * count
        if not edit:
            break
    return places, document


def _blocks(slide: _Record, listed: list[_Text], page: int) -> list[Block]:
    drawing = next((each for each in slide.parts() if each.kind == _DRAWING), None)
    blocks: list[Block] = []
    titles: list[Block] = []
    for found in _drawn(drawing, listed) if drawing is not None else ():
        if isinstance(found, list):
            blocks += table(_grid(found), page)
        elif found.kind in _TITLES:
            titles.append(Block("heading", " ".join(_lines(found.text)), 1, page))
        elif found.kind in _BODIES and len(_lines(found.text)) > 1:
            blocks.append(Block("prose", "\n".join(f"- {line}" for line in _lines(found.text)), page=page))
        else:
            blocks.append(Block("prose", "\n".join(_lines(found.text)), page=page))
    return titles + blocks


def _drawn(parent: _Record, listed: list[_Text]) -> Iterator[_Text | list[_Text]]:
    """Texts of shapes in their order; those of a table's cells together."""
    for record in parent.parts():
        if record.kind == _GROUP and _is_table(record):
            yield [each for each in _drawn(record, listed) if isinstance(each, _Text)]
        elif record.kind == _SHAPE:
            parts = record.parts()
            anchor = next((each.data for each in parts if each.kind == _ANCHOR), b"")
            box = struct.unpack_from("<4i", anchor) if len(anchor) >= 16 else None
            texts: list[_Text] = []
            for part in parts:
                if part.kind == _TEXT_BOX:
                    _gather(part.parts() or list(_records(part.data)), texts, listed)
            for text in texts:
                yield _Text(text.kind, text.text, None if box is None else (box[1], box[0], box[3], box[2]))
        elif record.holds_records:
            yield from _drawn(record, listed)


def _gather(records: list[_Record], texts: list[_Text], listed: list[_Text] | None = None) -> None:
    """Adds to texts. listed: what texts that stand in the list of slides are, by their place."""
    for record in records:
        if record.kind == _TEXT_KIND:
            texts.append(_Text(int.from_bytes(record.data[:4], "little"), ""))
        elif record.kind in {_TEXT_WIDE, _TEXT_NARROW}:
            text = record.data.decode("utf-16-le" if record.kind == _TEXT_WIDE else "latin-1", "replace")
            kind = texts.pop().kind if texts and not texts[-1].text else 4
            texts.append(_Text(kind, text))
        elif record.kind == _TEXT_ELSEWHERE and listed is not None:
            place = int.from_bytes(record.data[:4], "little")
            texts += listed[place : place + 1]


def _is_table(group: _Record) -> bool:
    first = next((each for each in group.parts() if each.kind == _SHAPE), None)
    for options in first.parts() if first is not None else []:
        if options.kind == _MORE_OPTIONS:
            codes = [struct.unpack_from("<H", options.data, 6 * index)[0] for index in range(options.instance)]
            return any(code & 0x3FFF == _TABLE_OPTION for code in codes)
    return False


def _grid(cells: list[_Text]) -> list[list[str]]:
    """By where the cells are; one that covers several places has its text in each."""
    boxes = [(each.text, each.box) for each in cells if each.box is not None]
    tops = sorted({box[0] for _, box in boxes})
    lefts = sorted({box[1] for _, box in boxes})
    grid = [[""] * len(lefts) for _ in tops]
    for text, (top, left, bottom, right) in boxes:
        for row in range(tops.index(top), len(tops)):
            for column in range(lefts.index(left), len(lefts)):
                if tops[row] < max(bottom, top + 1) and lefts[column] < max(right, left + 1):
                    grid[row][column] = " ".join(_lines(text))
    return grid


def _lines(text: str) -> list[str]:
    return [line for each in text.replace("\x0b", "\n").split("\r") if (line := each.strip())]


def _record(stream: bytes, place: int) -> _Record:
    return next(_records(stream[place:]))


def _records(data: bytes) -> Iterator[_Record]:
    """Raises struct.error when there is none."""
    view = memoryview(data)
    place = 0
    while place == 0 or place + 8 <= len(view):
        version, kind, length = struct.unpack_from("<HHI", view, place)
        yield _Record(kind, version >> 4, bytes(view[place + 8 : place + 8 + length]), version & 0xF == 0xF)
        place += 8 + length
