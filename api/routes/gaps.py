"""Knowledge gaps: what a collection was asked and could not answer."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.dependencies import Reading, needs
from api.mutation import MutationRoute, Work
from api.pagination import Cursor, Limit, Page, cursor_of, page_after, page_of
from api.responses import errors
from api.texts import RequestModel
from domain.auth.principal import Principal
from domain.knowledge import gap_store

router = APIRouter(prefix="/v1", tags=["gaps"])
changes = APIRouter(prefix="/v1", tags=["gaps"], route_class=MutationRoute)

Reader = Annotated[Principal, needs("collections:read")]
Writer = Annotated[Principal, needs("collections:write")]
State = Literal["open", "resolved", "dismissed"]
Why = Literal["nothing_found", "weak_evidence", "not_answered", "bad_feedback"]


class Sighting(BaseModel):
    """A turn that met the gap: what it asked, and why it counts."""

    turn_id: UUID
    question: str
    reasons: list[Why]
    seen_at: datetime


class GapOut(BaseModel):
    """count: how many turns met it. examples: the latest of them. A resolved gap that is met again is open again."""

    id: UUID
    collection_id: UUID
    question: str
    state: State
    note: str
    count: int
    examples: list[Sighting]
    created_at: datetime
    updated_at: datetime
    last_seen_at: datetime


class GapChange(RequestModel):
    """What is left out stays."""

    state: State | None = None
    note: Annotated[str, Field(max_length=4000)] | None = None


@router.get("/collections/{collection_id}/gaps", responses=errors(404))
async def list_gaps(
    principal: Reader,
    session: Reading,
    collection_id: UUID,
    state: Annotated[State | None, Query(description="Only gaps in this state.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[GapOut]:
    """Newest first. What turns noted since the last call is gathered before: a turn does not wait for it."""
    await gap_store.gather(session, principal.org_id, collection_id)
    rows = await gap_store.list_gaps(session, collection_id, state=state, after=page_after(cursor), limit=limit + 1)
    return page_of(rows, limit, _show, lambda row: cursor_of(row.gap.created_at, row.gap.id))


@router.get("/gaps/{gap_id}", responses=errors(404))
async def get_gap(principal: Reader, session: Reading, gap_id: UUID) -> GapOut:
    gap = (await gap_store.get_gap(session, gap_id)).gap
    await gap_store.gather(session, principal.org_id, gap.collection_id)
    return _show(await gap_store.get_gap(session, gap_id))


@changes.patch("/gaps/{gap_id}", responses=errors(400, 404, 413))
async def update_gap(_principal: Writer, work: Work, gap_id: UUID, change: GapChange) -> GapOut:
    return _show(await gap_store.update_gap(work.session, gap_id, state=change.state, note=change.note))


def _show(row: gap_store.GapRow) -> GapOut:
    gap = row.gap
    return GapOut(
        id=gap.id,
        collection_id=gap.collection_id,
        question=gap.question,
        state=gap.state,
        note=gap.note,
        count=row.count,
        examples=[Sighting.model_validate(one, from_attributes=True) for one in row.examples],
        created_at=gap.created_at,
        updated_at=gap.updated_at,
        last_seen_at=row.last_seen_at,
    )
