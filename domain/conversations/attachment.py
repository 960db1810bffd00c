"""What may come with a message: which images and files, how many and how large, and where their bytes are kept."""

import hashlib
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes
from uuid import UUID

from contracts.turn import AttachmentRef
from domain.errors import Invalid, TooLarge
from domain.knowledge.storage import Storage
from domain.llm.model import Attachment

MOST = 10
"""In one message. Providers take 20 to 100 images in one request, and people send a few."""

MOST_BYTES = 10_000_000
"""Of all in one message. Anthropic takes 5 MB an image and 32 MB a request, Gemini 20 MB with the conversation."""

MOST_NAME = 200

_BEGINNINGS: dict[str, tuple[bytes, ...]] = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF87a", b"GIF89a"),
    "image/webp": (b"RIFF",),
    "application/pdf": (b"%PDF-",),
}
"""What every provider of images and files can read, and how it begins."""


@dataclass(frozen=True, slots=True)
class Given:
    """One attachment as a caller gave it, checked."""

    name: str
    media_type: str
    data: bytes

    @property
    def ref(self) -> AttachmentRef:
        return AttachmentRef(
            name=self.name,
            media_type=self.media_type,
            size=len(self.data),
            sha256=hashlib.sha256(self.data).hexdigest(),
        )


def from_data_url(url: str, *, name: str = "", pointer: str) -> Given:
    """An attachment out of `data:<type>;base64,<bytes>`. Raises Invalid with the pointer; nothing is fetched."""
    head, comma, body = url.partition(",")
    if not comma or not head.lower().startswith("data:"):
        raise Invalid("give the content itself as a data: URL; nothing is fetched for you", pointer=pointer)
    media_type, *parameters = head[len("data:") :].split(";")
    try:
        encoded = "base64" in (one.strip().lower() for one in parameters)
        data = b64decode(body, validate=True) if encoded else unquote_to_bytes(body)
    except ValueError as error:
        raise Invalid("the data: URL is not base64", pointer=pointer) from error
    return checked(media_type, data, name=name, pointer=pointer)


def checked(media_type: str, data: bytes, *, name: str = "", pointer: str) -> Given:
    """Raises Invalid for a type that models cannot read, and for content that is not of its type."""
    kind = media_type.strip().lower()
    if not data:
        raise Invalid("the attachment is empty", pointer=pointer)
    if kind.startswith("text/"):
        try:
            data.decode()
        except UnicodeDecodeError:
            raise Invalid("a text must be UTF-8", pointer=pointer) from None
        return Given(name[:MOST_NAME], kind, data)
    if kind not in _BEGINNINGS:
        known = ", ".join(("text/*", *_BEGINNINGS))
        raise Invalid(f"models read {known}; upload other files to a collection", pointer=pointer)
    if not data.startswith(_BEGINNINGS[kind]) or (kind == "image/webp" and data[8:12] != b"WEBP"):
        raise Invalid(f"the content is not {kind}", pointer=pointer)
    return Given(name[:MOST_NAME], kind, data)


def bounded(given: Sequence[Given], *, pointer: str) -> list[Given]:
    """All of one message. Raises Invalid when they are too many, TooLarge when they are too large together."""
    if len(given) > MOST:
        raise Invalid(f"at most {MOST} attachments", pointer=pointer)
    if sum(len(one.data) for one in given) > MOST_BYTES:
        raise TooLarge(f"attachments of a message have at most {MOST_BYTES} bytes together", pointer=pointer)
    return list(given)


async def keep(storage: Storage, org_id: UUID, conversation_id: UUID, given: Sequence[Given]) -> None:
    """Store their bytes. Idempotent."""
    for one in given:
        await storage.put(org_id, attachment_key(conversation_id, one.ref.sha256), one.data)


async def read(
    storage: Storage, org_id: UUID, conversation_id: UUID, refs: Sequence[AttachmentRef]
) -> list[Attachment]:
    """As a model gets them. Raises NotFound when one is not there any more."""
    return [
        Attachment(ref.media_type, await storage.get(org_id, attachment_key(conversation_id, ref.sha256)), ref.name)
        for ref in refs
    ]


def attachment_key(conversation_id: UUID, sha256: str) -> str:
    """Named by content, so the same image again is the same object."""
    return f"conversations/{conversation_id}/attachments/{sha256}"
