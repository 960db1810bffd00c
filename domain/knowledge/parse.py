"""Read a file of any known kind into one text with its headings. Run it where it may die: see `reading.py`."""

import re
from pathlib import PurePath

from domain.errors import DocumentUnreadable
from domain.knowledge import media
from domain.knowledge.extract import Block, Content, Extract, assemble
from domain.knowledge.parse_html import read_html, read_markdown
from domain.knowledge.parse_image import read_image


def parse(data: bytes, filename: str, claimed: str | None = None) -> Extract:
    """Raises DocumentUnreadable: empty, encrypted, corrupt, without text, or of an unknown kind."""
    kind = media.media_type(data, filename, claimed)
    content = _read(kind, data)
    extract = assemble(
        content.blocks,
        title=content.title or _readable(filename),
        media_type=kind,
        pages=content.pages,
        scans=content.scans,
    )
    if not extract.text and not extract.scans:
        raise DocumentUnreadable("the file holds no text")
    return extract


def _read(kind: str, data: bytes) -> Content:
    if kind == media.PDF:
        from domain.knowledge.parse_pdf import read_pdf  # noqa: PLC0415 (85 ms of a process that reads one file)

        return read_pdf(data)
    if kind in media.IMAGES:
        return read_image(kind, data)
    if kind == media.HTML:
        return read_html(media.decode_html(data))
    if kind == media.MARKDOWN:
        return read_markdown(media.decode(data))
    return Content("", [Block("prose", part) for part in re.split(r"\n[ \t]*\n", _lines(media.decode(data)))])


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _readable(filename: str) -> str:
    """A file's name as a title: "refund_policy-v2.md" becomes "refund policy v2"."""
    return re.sub(r"[_-]+", " ", PurePath(filename).stem).strip() or filename
