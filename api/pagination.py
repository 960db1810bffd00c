"""Cursor pagination: the same two parameters and the same envelope on every list."""

import base64
import binascii
import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel, Field

from api.faults import InvalidParameter

Row = TypeVar("Row")
Item = TypeVar("Item")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CHECKSUM_BYTES = 6
_LATEST_MICROS = 4_102_444_800_000_000
"""The year 2100: beyond it a cursor is forged, and datetime would overflow."""

Limit = Annotated[int, Query(ge=1, le=200, description="Rows of a page.")]
Cursor = Annotated[
    str | None, Query(max_length=2000, description="`next_cursor` of the page before. Opaque: do not build one.")
]


class Page(BaseModel, Generic[Item]):
    """next_cursor is null on the last page."""

    data: list[Item]
    next_cursor: str | None = Field(default=None, examples=["MTc2MzcxOTI2MDAwMDAwMC4w"])


def page_after(cursor: str | None) -> tuple[datetime, UUID] | None:
    """Where a list that goes by (created_at, id) continues. Raises InvalidParameter."""
    if cursor is None:
        return None
    micros, _, row_id = _decode(cursor).partition(".")
    try:
        since = int(micros)
        place = UUID(row_id)
    except ValueError:
        raise _bad() from None
    if not 0 <= since <= _LATEST_MICROS:
        raise _bad()
    return _EPOCH + timedelta(microseconds=since), place


def cursor_of(created_at: datetime, row_id: UUID) -> str:
    return _encode(f"{(created_at - _EPOCH) // timedelta(microseconds=1)}.{row_id.hex}")


def number_after(cursor: str | None) -> int | None:
    """Where a list that goes by a row's number continues. Raises InvalidParameter."""
    if cursor is None:
        return None
    try:
        number = int(_decode(cursor))
    except ValueError:
        raise _bad() from None
    if not 0 <= number < 2**31:
        raise _bad()
    return number


def number_cursor(number: int) -> str:
    return _encode(str(number))


def page_of(rows: Sequence[Row], limit: int, show: Callable[[Row], Item], cursor: Callable[[Row], str]) -> Page[Item]:
    """rows were asked for with `limit + 1`, so that one too many says there is a next page."""
    kept = rows[:limit]
    return Page(data=[show(row) for row in kept], next_cursor=cursor(kept[-1]) if len(rows) > limit else None)


def token_cursor(token: bytes | None) -> str | None:
    """Another system's token as a cursor, with a checksum: Temporal retries a broken one for six seconds."""
    if not token:
        return None
    return base64.urlsafe_b64encode(_checksum(token) + token).decode().rstrip("=")


def token_after(cursor: str | None) -> bytes | None:
    """Raises InvalidParameter."""
    if cursor is None:
        return None
    read = _decode_bytes(cursor)
    checksum, token = read[:_CHECKSUM_BYTES], read[_CHECKSUM_BYTES:]
    if not token or checksum != _checksum(token):
        raise _bad()
    return token


def _checksum(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()[:_CHECKSUM_BYTES]


def _decode_bytes(cursor: str) -> bytes:
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise _bad() from None


def _encode(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decode(cursor: str) -> str:
    try:
        return _decode_bytes(cursor).decode("ascii")
    except UnicodeDecodeError:
        raise _bad() from None


def _bad() -> InvalidParameter:
    return InvalidParameter("the cursor is not valid", parameter="cursor")
