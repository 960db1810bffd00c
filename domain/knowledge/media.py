"""Tell what kind of file an upload is, from its bytes first and its name second. Not for reading it."""

import re
from collections.abc import Callable
from pathlib import PurePath

from domain.errors import DocumentUnreadable

PDF = "application/pdf"
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

_LOOKED_AT = 65_536
"""Bytes that decide: a byte-order mark, a signature, a doctype or an odd encoding shows itself in these."""

_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a ZIP archive, or an Office document, which is one"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
)
_IMAGE_SIGNATURES: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), PNG),
    (re.compile(rb"\xff\xd8\xff"), JPEG),
    (re.compile(rb"II[*+]\x00|MM\x00[*+]"), TIFF),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), WEBP),
    (re.compile(rb"BM.{4}\x00{4}.{4}[\x0c-\x7c]\x00{3}", re.DOTALL), BMP),
    (re.compile(rb"GIF8[79]a"), GIF),
)
_MARKS: tuple[tuple[bytes, str], ...] = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_HTML_START = re.compile(rb"<(!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_HTML_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?([\w-]{2,40})", re.IGNORECASE)
_MARKDOWN_HEADING = re.compile(rb"^#{1,6} \S", re.MULTILINE)
_BY_SUFFIX = {".htm": HTML, ".html": HTML, ".xhtml": HTML, ".md": MARKDOWN, ".mdx": MARKDOWN, ".markdown": MARKDOWN}


def media_type(data: bytes, filename: str, claimed: str | None = None) -> str:
    """One of the kinds above. Raises DocumentUnreadable for an empty file and for any other kind.

    claimed: what the client said; believed only between Markdown and plain text.
    """
    if not data.strip(b"\x00\t\n\r "):
        raise DocumentUnreadable("the file is empty")
    head = data[:_LOOKED_AT]
    if b"%PDF-" in head[:1024]:
        return PDF
    for pattern, image in _IMAGE_SIGNATURES:
        if pattern.match(head):
            return image
    for signature, name in _SIGNATURES:
        if head.startswith(signature):
            raise DocumentUnreadable(f"the file is {name}; Markdown, HTML, plain text and PDF can be read")
    suffix = PurePath(filename).suffix.lower()
    if suffix == ".pdf":
        raise DocumentUnreadable("the file is named .pdf but is not a PDF")
    encoding(head)
    by_name = _BY_SUFFIX.get(suffix)
    if by_name is None and _HTML_START.search(head[:2048].replace(b"\x00", b"")):
        return HTML
    if by_name is None and not suffix and _MARKDOWN_HEADING.search(head):
        return MARKDOWN
    return by_name or (MARKDOWN if (claimed or "").startswith(MARKDOWN) else PLAIN)


def encoding(data: bytes) -> str:
    """Python's name of the text's encoding. Raises DocumentUnreadable when the bytes are not text."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return name
    if b"\x00" in data[:_LOOKED_AT]:
        raise DocumentUnreadable("the file is not text: it holds zero bytes")
    if _is_utf8(data):
        return "utf-8"
    import charset_normalizer  # noqa: PLC0415 (40 ms, for the few files that need it)

    guess = charset_normalizer.from_bytes(data[:_LOOKED_AT]).best()
    if guess is None:
        raise DocumentUnreadable("the file's encoding cannot be told; save it as UTF-8")
    return guess.encoding


def decode(data: bytes) -> str:
    """Text of these bytes; what an encoding does not know becomes U+FFFD. Raises DocumentUnreadable."""
    return data.decode(encoding(data), errors="replace")


def decode_html(data: bytes) -> str:
    """As `decode`, and believes a page's own <meta charset> when the bytes are not UTF-8."""
    declared = _HTML_CHARSET.search(data[:4096])
    if declared is None or _is_utf8(data) or data.startswith(tuple(mark for mark, _ in _MARKS)):
        return decode(data)
    return _try_decode(data, declared[1].decode(), decode)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        # The sample may end inside a character.
        return len(data) >= _LOOKED_AT and error.reason == "unexpected end of data"
    return True


def _try_decode(data: bytes, name: str, otherwise: Callable[[bytes], str]) -> str:
    try:
        return data.decode(name, errors="replace")
    except LookupError:  # pages declare encodings that never existed
        return otherwise(data)
