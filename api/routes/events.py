"""The event log of a conversation: polled, or streamed with its sequence number as the place to resume from."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel

from api import frames
from api.dependencies import Resources, needs
from api.faults import InvalidParameter
from api.resources import ApiResources
from api.responses import errors
from api.stream import Stream
from contracts.events import CONVERSATION_CLOSED
from domain.auth.principal import Principal
from domain.conversations import store
from domain.conversations.log import LoggedEvent, read_events

router = APIRouter(prefix="/v1/conversations", tags=["events"])

Reader = Annotated[Principal, needs("conversations:read")]
MAX_SEQ = 2**63 - 1
After = Annotated[int, Query(ge=0, le=MAX_SEQ, description="Only events with a greater seq.")]
_MAX_WAIT_SECONDS = 30


class EventOut(BaseModel):
    seq: int
    type: str
    turn_id: UUID | None
    created_at: datetime
    data: dict[str, Any]


class EventPage(BaseModel):
    """next_after: pass it as `after` to go on, also when data is empty."""

    data: list[EventOut]
    next_after: int


_STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events: `id` is the seq, `event` the type, `data` JSON with seq, type, turn_id, "
        "created_at and the event's own fields. A comment every 15 s keeps the line open.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
    204: {"description": "The conversation is closed and everything was read: do not reconnect."},
}


@router.get("/{conversation_id}/events", responses=errors(404))
async def list_events(
    principal: Reader,
    resources: Resources,
    conversation_id: UUID,
    after: After = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    wait: Annotated[float, Query(ge=0, le=_MAX_WAIT_SECONDS, description="Seconds to wait for a first event.")] = 0,
) -> EventPage:
    """Events in order. With `wait`, answers as soon as there is one (long polling)."""
    await _head(resources, principal, conversation_id)
    events = await read_events(resources.database, principal.org_id, conversation_id, after, limit)
    if not events and wait:
        events = (await _wait(resources, principal, conversation_id, after, wait))[:limit]
    return EventPage(data=[_show(event) for event in events], next_after=events[-1].seq if events else after)


@router.get("/{conversation_id}/events/stream", response_class=Response, responses={**errors(404), **_STREAMED})
async def stream_events(
    principal: Reader,
    resources: Resources,
    request: Request,
    conversation_id: UUID,
    after: After = 0,
    last_event_id: Annotated[
        str | None, Header(max_length=40, description="As EventSource sends it; wins over `after`.")
    ] = None,
) -> Response:
    """Every event from a place on, live. Resume with `Last-Event-ID`: nothing is missed and nothing repeated."""
    place = after if last_event_id is None else _place(last_event_id)
    state, last_seq = await _head(resources, principal, conversation_id)
    if state == "closed" and place >= last_seq:
        return Response(status_code=204)
    return Stream(_follow(resources, principal.org_id, conversation_id, place))


async def _follow(
    resources: ApiResources, org_id: UUID, conversation_id: UUID, after: int
) -> AsyncGenerator[bytes, None]:
    async with resources.hub.subscribe(org_id, conversation_id, after) as events:
        yield b": open\n\n"
        async for batch in events:
            yield frames.sse(batch)
            if batch[-1].type == CONVERSATION_CLOSED:
                return


async def _wait(
    resources: ApiResources, principal: Principal, conversation_id: UUID, after: int, seconds: float
) -> list[LoggedEvent]:
    async with resources.hub.subscribe(principal.org_id, conversation_id, after) as events:
        try:
            async with asyncio.timeout(seconds):
                return await events.next()
        except TimeoutError:
            return []


async def _head(resources: ApiResources, principal: Principal, conversation_id: UUID) -> tuple[str, int]:
    """State and last seq. Raises NotFound."""
    known = await store.read_incoming(resources.database, principal.org_id, conversation_id, "")
    return known.state, known.last_seq


def _place(last_event_id: str) -> int:
    if not last_event_id.isascii() or not last_event_id.isdecimal() or int(last_event_id) > MAX_SEQ:
        raise InvalidParameter("the id of an event of this conversation", parameter="Last-Event-ID")
    return int(last_event_id)


def _show(event: LoggedEvent) -> EventOut:
    return EventOut(seq=event.seq, type=event.type, turn_id=event.turn_id, created_at=event.created_at, data=event.data)
