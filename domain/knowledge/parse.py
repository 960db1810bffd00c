"""Read a file of any known kind into one text with its headings. Run it where it may die: see `reading.py`."""

import re
from collections.abc import Callable
from pathlib import PurePath

from domain.errors import DocumentUnreadable
from domain.knowledge import media
from domain.knowledge.encoding import decode, decode_html
from domain.knowledge.extract import Content, Extract, assemble
from domain.knowledge.package import Package
from domain.knowledge.parse_doc import read_doc
from domain.knowledge.parse_docx import read_docx
from domain.knowledge.parse_epub import read_epub
from domain.knowledge.parse_html import read_html, read_markdown
from domain.knowledge.parse_image import read_image
from domain.knowledge.parse_mail import read_mail
from domain.knowledge.parse_odf import read_odf
from domain.knowledge.parse_ppt import read_ppt
from domain.knowledge.parse_pptx import read_pptx
from domain.knowledge.parse_text import read_json, read_plain, read_separated
from domain.knowledge.parse_xls import read_xls
from domain.knowledge.parse_xlsx import read_xlsx

_MOST_TEXT = 20_000_000
"""Characters, some 7,000 pages: passages and all, they are 100 MB on their way to a worker that reads others, too."""


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
    if len(extract.text) > _MOST_TEXT:
        raise DocumentUnreadable(
            f"the file holds more than {_MOST_TEXT // 1_000_000} million characters; upload parts of it"
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
    if kind in _PACKAGES:
        return _PACKAGES[kind](Package(data))
    if kind in _TEXTS:
        return _TEXTS[kind](decode(data))
    if kind in _OLD:
        return _OLD[kind](data)
    return read_html(decode_html(data)) if kind == media.HTML else read_mail(data)


_PACKAGES: dict[str, Callable[[Package], Content]] = {
    media.DOCX: read_docx,
    media.PPTX: read_pptx,
    media.XLSX: read_xlsx,
    **dict.fromkeys((media.ODT, media.ODS, media.ODP, media.ODF), read_odf),
    media.EPUB: read_epub,
}
_OLD: dict[str, Callable[[bytes], Content]] = {media.DOC: read_doc, media.PPT: read_ppt, media.XLS: read_xls}
_TEXTS: dict[str, Callable[[str], Content]] = {
    media.MARKDOWN: read_markdown,
    media.CSV: read_separated,
    media.JSON: read_json,
    media.PLAIN: read_plain,
}


def _readable(filename: str) -> str:
    """A file's name as a title: "refund_policy-v2.md" becomes "refund policy v2"."""
    return re.sub(r"[_-]+", " ", PurePath(filename).stem).strip() or filename
