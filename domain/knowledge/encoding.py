"""Turn bytes into text, whatever encoding they are in. Not for telling kinds of files apart."""

import re
import unicodedata
from collections.abc import Callable

from domain.errors import DocumentUnreadable

_LOOKED_AT = 65_536
"""Bytes that decide: an odd encoding shows itself in these."""

_MARKS: tuple[tuple[bytes, str], ...] = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_HTML_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?([\w-]{2,40})", re.IGNORECASE)
_XML_CHARSET = re.compile(rb"\A<\?xml[^>]{0,100}encoding\s*=\s*[\"']([\w-]{2,40})", re.IGNORECASE)
_STRANGE = {"Cc", "Cn", "Co", "Cs"}


def encoding(data: bytes) -> str:
    """Python's name of the text's encoding. Raises DocumentUnreadable when the bytes are not text."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return name
    if b"\x00" in data[:_LOOKED_AT]:
        return _without_mark(data[:_LOOKED_AT])
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
    """As `decode`, and believes a page's own declaration when the bytes are not UTF-8."""
    declared = _XML_CHARSET.search(data[:200]) or _HTML_CHARSET.search(data[:4096])
    if declared is None or _is_utf8(data) or data.startswith(tuple(mark for mark, _ in _MARKS)):
        return decode(data)
    return decode_as(data, declared[1].decode(), decode)


def decode_as(data: bytes, name: str, otherwise: Callable[[bytes], str]) -> str:
    """By a declared encoding, or otherwise where it never existed."""
    try:
        return data.decode(name, errors="replace")
    except (LookupError, UnicodeError):  # "punycode" and "idna" replace nothing
        return otherwise(data)


def _without_mark(data: bytes) -> str:
    """UTF-16 without a byte-order mark, in the order that makes sense of it."""
    even = data[: len(data) // 2 * 2]
    for name in ("utf-16-le", "utf-16-be"):
        try:
            text = even.decode(name)
        except UnicodeDecodeError as error:
            if error.reason != "unexpected end of data":
                continue
            text = even[: error.start].decode(name)
        strange = sum(unicodedata.category(c) in _STRANGE and c not in "\t\r\n\f" for c in text)
        known = sum(c in " \t\r\n.,;:" or c.isalnum() for c in text)
        if not strange and known > 0.8 * len(text) and any(c in " \n" for c in text):
            return name
    raise DocumentUnreadable("the file is not text: it holds zero bytes")


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        # The sample may end inside a character.
        return len(data) >= _LOOKED_AT and error.reason == "unexpected end of data"
    return True
