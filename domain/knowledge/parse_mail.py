"""Read a mail: who, to whom, when and about what, its text, and the names of its attachments. Not their contents."""

import email
import email.policy
import re
from email.message import EmailMessage

from domain.errors import DocumentUnreadable
from domain.knowledge.encoding import decode, decode_as, decode_html
from domain.knowledge.extract import Block, Content
from domain.knowledge.parse_html import read_html
from domain.knowledge.parse_text import read_plain

_SHOWN = ("From", "To", "Cc", "Date")
_DEEPEST = 5
"""Mails forwarded in mails forwarded in mails."""


def read_mail(data: bytes) -> Content:
    """Raises DocumentUnreadable for a mail whose text is encrypted."""
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return Content(_header(message, "Subject"), _blocks(message, 1))


def _blocks(message: EmailMessage, level: int) -> list[Block]:
    if message.get_content_subtype() == "encrypted" or "enveloped-data" in str(message.get("Content-Type", "")):
        raise DocumentUnreadable("the mail is encrypted; upload its text")
    blocks = [Block("heading", _header(message, "Subject"), level)]
    blocks.append(Block("prose", "\n".join(f"{name}: {text}" for name in _SHOWN if (text := _header(message, name)))))
    blocks += _body(message)
    attached = [part for part in message.iter_attachments() if isinstance(part, EmailMessage)]
    names = [_name(part) for part in attached if part.get_content_type() != "message/rfc822"]
    if any(names):
        blocks.append(Block("prose", "Attachments: " + ", ".join(filter(None, names))))
    for part in attached:
        inner = part.get_payload()
        if isinstance(inner, list) and level < _DEEPEST:
            for each in inner if part.get_content_type() == "message/rfc822" else ():
                blocks += _blocks(each, level + 1) if isinstance(each, EmailMessage) else []
    return blocks


def _body(message: EmailMessage) -> list[Block]:
    """The plain text, or the HTML where there is no plain text or it only says to look at the HTML."""
    plain = message.get_body(("plain",))
    rich = message.get_body(("html",))
    text = read_plain(_text(plain)).blocks if isinstance(plain, EmailMessage) else []
    if not isinstance(rich, EmailMessage):
        return text
    page = read_html(_text(rich)).blocks
    return text if 2 * _length(text) > _length(page) and not any(block.kind == "code" for block in page) else page


def _text(part: EmailMessage) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    charset = part.get_content_charset()
    otherwise = decode_html if part.get_content_subtype() == "html" else decode
    return decode_as(payload, charset, otherwise) if charset and payload else otherwise(payload)


def _header(message: EmailMessage, name: str) -> str:
    try:
        return re.sub(r"\s+", " ", str(message.get(name, ""))).strip()
    except (ValueError, IndexError, AttributeError, TypeError):  # what the standard library makes of broken addresses
        return ""


def _name(part: EmailMessage) -> str:
    """Pictures inside the text have names that say nothing."""
    return "" if part.get("Content-ID") and part.get_content_maintype() == "image" else part.get_filename() or ""


def _length(blocks: list[Block]) -> int:
    return sum(len(block.text) for block in blocks)
