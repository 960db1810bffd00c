"""Events of the log as bytes on the wire. One dictionary for every transport, so that they say the same."""

from collections.abc import Iterable
from typing import Any

import orjson

from domain.conversations.log import LoggedEvent


def as_dict(event: LoggedEvent) -> dict[str, Any]:
    """seq, type, turn_id and created_at, and beside them what the event says (contracts/events.py)."""
    return {
        "seq": event.seq,
        "type": event.type,
        # As text: asyncpg's UUID is a subclass, which orjson refuses.
        "turn_id": None if event.turn_id is None else str(event.turn_id),
        "created_at": event.created_at,
        **event.data,
    }


def as_json(data: Any) -> bytes:
    """asyncpg's UUID is a class of its own, which orjson does not know; str is right for it."""
    return orjson.dumps(data, default=str)


def sse(events: Iterable[LoggedEvent]) -> bytes:
    """Server-sent events, in one piece, so that a tick costs one write."""
    return b"".join(
        b"id: %d\nevent: %s\ndata: %s\n\n" % (event.seq, event.type.encode(), as_json(as_dict(event)))
        for event in events
    )


def sse_note(name: str, data: dict[str, Any]) -> bytes:
    """A server-sent event that is not in the log: without an id, so it never becomes a place to resume from."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), as_json(data))
