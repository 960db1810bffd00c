"""Turns: why a reply says what it says."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from api.dependencies import Reading, needs
from api.pagination import Cursor, Limit, Page, number_after, number_cursor, page_of
from api.responses import errors
from db.tables.conversations import Turn
from domain.auth.principal import Principal
from domain.conversations import store

router = APIRouter(prefix="/v1", tags=["turns"])

Reader = Annotated[Principal, needs("conversations:read")]


class TurnOut(BaseModel):
    """parks: pauses because nobody could answer; parked_until: the end of the present one."""

    id: UUID
    conversation_id: UUID
    agent_version_id: UUID
    number: int
    state: Literal["running", "completed", "failed", "handed_over"]
    language: str | None
    intent: str | None
    error_code: str | None
    error_detail: str | None
    started_at: datetime
    finished_at: datetime | None
    parks: int
    parked_at: datetime | None
    parked_until: datetime | None


class EvidenceOut(BaseModel):
    """A passage as the model saw it, whatever became of the document. marker is its [n] in the reply."""

    marker: int
    passage_id: str
    collection_id: UUID
    document_id: UUID
    title: str
    heading: str
    page: int | None
    char_start: int
    char_end: int
    text: str
    score: float


class ModelCallOut(BaseModel):
    """One call to a provider. place and number name it; attempt is that of the step that made it.

    cost_micros: millionths of a US dollar, by the price that `price` names. estimated: the provider did not count.
    """

    place: str
    number: int
    attempt: int
    task: str
    state: str
    outcome: str | None
    provider: str
    model: str
    price: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cache_written_tokens: int
    reasoning_tokens: int
    cost_micros: int
    estimated: bool
    latency_ms: float | None
    first_token_ms: float | None
    detail: str | None
    reserved_at: datetime
    settled_at: datetime | None


class ToolCallOut(BaseModel):
    call_key: str
    name: str
    arguments: dict[str, Any]
    state: str
    attempts: int
    outcome: str | None
    claimed_at: datetime
    finished_at: datetime | None


class TurnDetailOut(TurnOut):
    """record: the route, the guards' verdicts and the milliseconds of each step."""

    record: dict[str, Any]
    passages: list[EvidenceOut]
    model_calls: list[ModelCallOut]
    tool_calls: list[ToolCallOut]


@router.get("/conversations/{conversation_id}/turns", responses=errors(404))
async def list_turns(
    _principal: Reader, session: Reading, conversation_id: UUID, cursor: Cursor = None, limit: Limit = 50
) -> Page[TurnOut]:
    """Oldest first."""
    rows = await store.list_turns(session, conversation_id, after=number_after(cursor) or 0, limit=limit + 1)
    return page_of(rows, limit, _show, lambda row: number_cursor(row.number))


@router.get("/turns/{turn_id}", responses=errors(404))
async def get_turn(_principal: Reader, session: Reading, turn_id: UUID) -> TurnDetailOut:
    """A turn with its evidence, verdicts, timings, model calls and tool calls."""
    found = await store.get_turn(session, turn_id)
    return TurnDetailOut(
        **_show(found.turn).model_dump(),
        record=found.turn.record,
        passages=[EvidenceOut.model_validate(one, from_attributes=True) for one in found.passages],
        model_calls=[ModelCallOut.model_validate(one, from_attributes=True) for one in found.model_calls],
        tool_calls=[ToolCallOut.model_validate(one, from_attributes=True) for one in found.tool_calls],
    )


def _show(row: Turn) -> TurnOut:
    return TurnOut.model_validate(row, from_attributes=True)
