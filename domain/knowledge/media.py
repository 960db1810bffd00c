"""Tell what kind of file an upload is, from its bytes first and its name second. Not for reading it."""

import re
from pathlib import PurePath

from domain.errors import DocumentUnreadable
from domain.knowledge.encoding import encoding

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ODF = "application/vnd.oasis.opendocument"
"""Of drawings and the like; the three that people write have their own."""

ODT, ODS, ODP = f"{ODF}.text", f"{ODF}.spreadsheet", f"{ODF}.presentation"
EPUB = "application/epub+zip"
DOC = "application/msword"
PPT = "application/vnd.ms-powerpoint"
XLS = "application/vnd.ms-excel"
MAIL = "message/rfc822"
CSV = "text/csv"
JSON = "application/json"
HTML = "text/html"
MARKDOWN = "text/markdown"
PLAIN = "text/plain"
PNG = "image/png"
JPEG = "image/jpeg"
TIFF = "image/tiff"
WEBP = "image/webp"
BMP = "image/bmp"
GIF = "image/gif"
IMAGES = frozenset({PNG, JPEG, TIFF, WEBP, BMP, GIF})
"""Pages without text: what they hold is recognised, not parsed."""

READABLE = (
    "Word, PowerPoint, Excel, OpenDocument, PDF, EPUB, mail, HTML, Markdown, CSV, JSON, text and images can be read"
)

_LOOKED_AT = 65_536
"""Bytes that decide: a byte-order mark, a signature, a doctype or an odd encoding shows itself in these."""

_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90\x00", "a program"),
    (b"{\\rtf", "a Rich Text file, which can be saved as a Word document"),
    (b"ID3", "a sound recording"),
    (b"OggS", "a sound recording"),
    (b"\x1aE\xdf\xa3", "a film"),
)
_IMAGE_SIGNATURES: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), PNG),
    (re.compile(rb"\xff\xd8\xff"), JPEG),
    (re.compile(rb"II[*+]\x00|MM\x00[*+]"), TIFF),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), WEBP),
    (re.compile(rb"BM.{4}\x00{4}.{4}[\x0c-\x7c]\x00{3}", re.DOTALL), BMP),
    (re.compile(rb"GIF8[79]a"), GIF),
)
_IN_ZIP: tuple[tuple[bytes, str], ...] = (
    (b"word/document", DOCX),
    (b"ppt/presentation", PPTX),
    (b"xl/workbook.xml", XLSX),
)
_IN_OLE: tuple[tuple[str, str], ...] = (
    ("WordDocument", DOC),
    ("PowerPoint Document", PPT),
    ("Workbook", XLS),
    ("Book", XLS),
)
_HTML_START = re.compile(rb"<(!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_MARKDOWN_HEADING = re.compile(rb"^#{1,6} \S", re.MULTILINE)
_MAIL_HEADERS = re.compile(
    rb"^(from|to|subject|date|received|return-path|mime-version|message-id|delivered-to|reply-to|x-[\w-]+):",
    re.IGNORECASE | re.MULTILINE,
)
_BY_SUFFIX = {
    **dict.fromkeys((".htm", ".html", ".xhtml"), HTML),
    **dict.fromkeys((".md", ".mdx", ".markdown"), MARKDOWN),
    **dict.fromkeys((".csv", ".tsv", ".tab", ".xls"), CSV),  # programs call a table of text .xls
    **dict.fromkeys((".json", ".jsonl", ".ndjson"), JSON),
}


def media_type(data: bytes, filename: str, claimed: str | None = None) -> str:
    """One of the kinds above. Raises DocumentUnreadable for an empty file and for any other kind.

    claimed: what the client said; believed only between Markdown and plain text.
    """
    if not data.strip(b"\x00\t\n\r "):
        raise DocumentUnreadable("the file is empty")
    head = data[:_LOOKED_AT]
    if b"%PDF-" in head[:1024]:
        return PDF
    if head.startswith(_ZIP):
        return _zipped(data)
    if head.startswith(_OLE):
        return _old_office(data)
    for pattern, image in _IMAGE_SIGNATURES:
        if pattern.match(head):
            return image
    for signature, name in _SIGNATURES:
        if head.startswith(signature):
            raise DocumentUnreadable(f"the file is {name}; {READABLE}")
    suffix = PurePath(filename).suffix.lower()
    if suffix == ".pdf":
        raise DocumentUnreadable("the file is named .pdf but is not a PDF")
    encoding(head)
    return _text(head.replace(b"\x00", b""), suffix, claimed or "")


def _zipped(data: bytes) -> str:
    """By the names in the archive's directory: the archive itself is opened where it may do harm."""
    if data[30:38] == b"mimetype":
        kind = data[38:120]
        if kind.startswith(EPUB.encode()):
            return EPUB
        for known in (ODT, ODS, ODP, ODF):
            if kind.startswith(known.encode()):
                return known
    if b"META-INF/container.xml" in data and b".opf" in data:
        return EPUB
    for name, kind_of_office in _IN_ZIP:
        if name in data and b"[Content_Types].xml" in data:
            return kind_of_office
    if b"xl/workbook.bin" in data:
        raise DocumentUnreadable("the file is a binary workbook (.xlsb); save it as .xlsx")
    raise DocumentUnreadable(f"the file is a ZIP archive; {READABLE}")


def _old_office(data: bytes) -> str:
    if _utf16("EncryptedPackage") in data:
        raise DocumentUnreadable("the file is encrypted; upload it without its password")
    if _utf16("__substg1.0_") in data:
        raise DocumentUnreadable("the file is an Outlook message (.msg); save it as .eml")
    for name, kind in _IN_OLE:
        if _utf16(name) in data:
            return kind
    raise DocumentUnreadable(f"the file is of an old Office program; {READABLE}")


def _utf16(name: str) -> bytes:
    return name.encode("utf-16-le")


def _text(head: bytes, suffix: str, claimed: str) -> str:
    by_name = _BY_SUFFIX.get(suffix)
    start = head[:2048].lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    if _HTML_START.match(start) or (by_name is None and _HTML_START.search(start)):
        return HTML
    if by_name is not None:
        return by_name
    if _is_mail(start, suffix):
        return MAIL
    if not suffix and _MARKDOWN_HEADING.search(head):
        return MARKDOWN
    return MARKDOWN if claimed.startswith(MARKDOWN) else PLAIN


def _is_mail(start: bytes, suffix: str) -> bool:
    headers = re.split(rb"\r?\n\r?\n", start)[0]
    known = {name.lower() for name in _MAIL_HEADERS.findall(headers)}
    first = headers.split(b"\n")[0]
    named = suffix in {".eml", ".mht", ".mhtml"}
    return bool(re.match(rb"[\w-]+:|From ", first)) and len(known) >= (1 if named else 3)
