"""Read a file of any known kind into one text with its headings. Run it where it may die: see `reading.py`."""

import re
from pathlib import PurePath

from domain.errors import DocumentUnreadable
from domain.knowledge import media
from domain.knowledge.extract import Block, Extract, assemble
from domain.knowledge.parse_html import read_html, read_markdown


def parse(data: bytes, filename: str, claimed: str | None = None) -> Extract:
    """Raises DocumentUnreadable: empty, encrypted, corrupt, without text, or of an unknown kind."""
    kind = media.media_type(data, filename, claimed)
    pages = 0
    if kind == media.PDF:
        from domain.knowledge.parse_pdf import read_pdf  # noqa: PLC0415 (85 ms of a process that reads one file)

        title, blocks, pages = read_pdf(data)
    elif kind == media.HTML:
        title, blocks = read_html(media.decode_html(data))
    elif kind == media.MARKDOWN:
        title, blocks = read_markdown(media.decode(data))
    else:
        title, blocks = "", [Block("prose", part) for part in re.split(r"\n[ \t]*\n", _lines(media.decode(data)))]
    extract = assemble(blocks, title=title or _readable(filename), media_type=kind, pages=pages)
    if not any(span.kind != "heading" for span in extract.spans) and not extract.text.strip():
        raise DocumentUnreadable("the file holds no text")
    return extract


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _readable(filename: str) -> str:
    """A file's name as a title: "refund_policy-v2.md" becomes "refund policy v2"."""
    return re.sub(r"[_-]+", " ", PurePath(filename).stem).strip() or filename
