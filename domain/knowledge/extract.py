"""What reading a file yields: one text, and which stretch of it is a heading, prose, a table or code."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

Kind = Literal["heading", "prose", "code"]

_LIGATURES = {code: unicodedata.normalize("NFKC", chr(code)) for code in range(0xFB00, 0xFB07)}
_LEADERS = re.compile(r"(?<![ \t])[ \t]*(?:\.[ \t]?){6,}")
"""Dots that lead to a page number in a table of contents: hundreds of tokens that say nothing."""

_INVISIBLE = dict.fromkeys([*range(9), *range(0xB, 0x20), 0x7F, 0xAD, 0x200B, 0x2060, 0xFEFF])
_SPACES = dict.fromkeys([0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000], " ")
_HALVES = dict.fromkeys(range(0xD800, 0xE000), "\ufffd")
"""Of characters: no database takes one without the other."""

_CLEAN = {**_INVISIBLE, **_SPACES, **_LIGATURES, **_HALVES, 0x2028: "\n", 0x2029: "\n"}


@dataclass(frozen=True, slots=True)
class Block:
    """A piece as a reader of one format found it. level: 1 to 6 of a heading. page counts from 1.

    A table is `code`: its lines belong together.
    """

    kind: Kind
    text: str
    level: int = 0
    page: int | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A block's place in the extracted text: code points [start, end)."""

    kind: Kind
    start: int
    end: int
    level: int
    page: int | None


@dataclass(frozen=True, slots=True)
class Content:
    """What the reader of one format found. title is empty and pages 0 where the format has none.

    scans: pages that hold an image and no usable text, counted from 1.
    """

    title: str
    blocks: list[Block]
    pages: int = 0
    scans: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Extract:
    """A file's text. scans: pages that hold an image and no usable text, counted from 1; their text is not in it."""

    title: str
    media_type: str
    pages: int
    text: str
    spans: list[Span]
    scans: list[int] = field(default_factory=list)


def clean(text: str) -> str:
    """The text as it is stored and shown: ligatures spelt out, soft hyphens and control characters gone.

    Not NFKC as a whole: that would turn "x²" into "x2" and "①" into "1".
    """
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n").translate(_CLEAN))


def assemble(
    blocks: Iterable[Block], *, title: str, media_type: str, pages: int = 0, scans: Sequence[int] = ()
) -> Extract:
    """Join blocks with blank lines; every span's offsets are true to the joined text."""
    parts: list[str] = []
    spans: list[Span] = []
    length = 0
    for block in blocks:
        text = clean(block.text)
        text = text.strip("\n") if block.kind == "code" else _LEADERS.sub(" … ", text).strip()
        if not text.strip():
            continue
        if parts:
            parts.append("\n\n")
            length += 2
        parts.append(text)
        spans.append(Span(block.kind, length, length + len(text), block.level, block.page))
        length += len(text)
    one_line = re.sub(r"\s+", " ", clean(title)).strip()
    return Extract(one_line, media_type, pages, "".join(parts), spans, list(scans))


def with_recognised(extract: Extract, recognised: Mapping[int, Sequence[Block]]) -> Extract:
    """The extract with the blocks recognised on its scans in their places; those pages are scans no more.

    Pages keep their order, and so do the blocks of a page; a page's own blocks come before its recognised ones.
    """
    blocks = [Block(s.kind, extract.text[s.start : s.end], s.level, s.page) for s in extract.spans]
    for page in sorted(recognised):
        place = next((i for i, block in enumerate(blocks) if (block.page or 0) > page), len(blocks))
        blocks[place:place] = [replace(block, page=page) for block in recognised[page]]
    left = [page for page in extract.scans if page not in recognised]
    return assemble(blocks, title=extract.title, media_type=extract.media_type, pages=extract.pages, scans=left)
