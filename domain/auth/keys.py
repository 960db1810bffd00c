"""API keys as text: `ev_<organisation, 32 hex>_<secret>`. Not for looking them up: see `store.py`.

The organisation stands in the key so that the lookup itself runs under row-level security.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from uuid import UUID

from domain.errors import Unauthenticated

_SHAPE = re.compile(r"ev_([0-9a-f]{32})_([A-Za-z0-9_-]{20,100})")
_SECRET_BYTES = 32
_PREFIX_CHARS = 4
"""Characters of the secret that a list shows, to tell keys apart: 24 of 256 bits."""


@dataclass(frozen=True, slots=True)
class PresentedKey:
    """A key as it was sent: well formed, but not yet known to exist."""

    org_id: UUID
    secret_hash: bytes
    prefix: str


def new_key(org_id: UUID) -> str:
    """A fresh key. It is shown once and stored nowhere."""
    return f"ev_{org_id.hex}_{secrets.token_urlsafe(_SECRET_BYTES)}"


def read_key(text: str) -> PresentedKey:
    """Raises Unauthenticated when the text cannot be a key.

    SHA-256 without salt or stretching is enough: the secret is 256 random bits and not a password.
    """
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise Unauthenticated("the API key is not valid")
    return PresentedKey(
        org_id=UUID(match[1]),
        secret_hash=hashlib.sha256(text.encode()).digest(),
        prefix=f"ev_…_{match[2][:_PREFIX_CHARS]}",
    )
