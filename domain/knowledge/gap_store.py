"""Rows of knowledge gaps: questions that say the same are one gap, with every turn that met it. See `gap.py`.

Callers own the transaction; row-level security picks the tenant.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import numpy as np
from sqlalchemy import delete, func, literal, not_, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.tables.columns import now
from db.tables.knowledge import Collection
from db.tables.questions import GapSighting, KnowledgeGap
from domain.errors import NotFound
from domain.knowledge.embedder import Vector
from domain.knowledge.gap import Gap
from domain.knowledge.store import get_collection

_SAME = 0.94
"""Cosine of two questions that say the same: of such pairs among 1,000 banking questions, 78% have the same of 77
intents, and the others are near; at 0.92 50%, at 0.96 92% of a third of the pairs."""

_COMPARED = 5000
"""Newest gaps that a new question is compared with: 4 MB."""

_EXAMPLES = 5

Cursor = tuple[datetime, UUID]


@dataclass(frozen=True, slots=True)
class GapRow:
    """count: turns that met the gap. examples: the latest of them, with what they asked and why they count."""

    gap: KnowledgeGap
    count: int
    last_seen_at: datetime
    examples: list[GapSighting]


def packed(vector: Vector) -> bytes:
    """Half the bytes; a cosine moves by less than 0.001."""
    return vector.astype("<f2").tobytes()


async def note(session: AsyncSession, org_id: UUID, turn_id: UUID, gap: Gap, vector: Vector) -> None:
    """Idempotent by turn and collection: another reason is added to those there are."""
    known = col(GapSighting.reasons)
    for collection_id in gap.collections:
        statement = insert(GapSighting).values(
            turn_id=turn_id,
            collection_id=collection_id,
            org_id=org_id,
            reasons=list(gap.reasons),
            question=gap.question,
            vector=packed(vector),
            seen_at=now(),
        )
        added = func.array_cat(known, statement.excluded.reasons)
        await session.exec(
            statement.on_conflict_do_update(
                index_elements=["turn_id", "collection_id"],
                set_={"reasons": added},
                where=not_(known.contains(statement.excluded.reasons)),
            )
        )


async def existing(session: AsyncSession, collection_ids: Sequence[UUID]) -> list[UUID]:
    """Those that were not deleted meanwhile."""
    return list((await session.exec(select(Collection.id).where(col(Collection.id).in_(collection_ids)))).all())


async def withdraw(session: AsyncSession, turn_id: UUID, reason: str) -> None:
    """Take a reason back; a turn without any other is no sighting any more. Idempotent."""
    mine = col(GapSighting.turn_id) == turn_id
    left = func.array_remove(col(GapSighting.reasons), literal(reason))
    await session.exec(update(GapSighting).where(mine).values(reasons=left))
    await session.exec(delete(GapSighting).where(mine, func.cardinality(col(GapSighting.reasons)) == 0))


async def gather(session: AsyncSession, org_id: UUID, collection_id: UUID) -> None:
    """Give every sighting that waits its gap: one that says the same, or a new one. Idempotent.

    A resolved gap that is met again is open again; a dismissed one stays so.
    """
    waits = select(1).where(GapSighting.collection_id == collection_id, col(GapSighting.gap_id).is_(None)).limit(1)
    if (await session.exec(waits)).first() is None:
        return
    # Not the collection's row: an ingestion holds that while it writes.
    await session.exec(select(func.pg_advisory_xact_lock(func.hashtextextended(f"gaps {collection_id}", 0))))
    waiting = (
        await session.exec(
            select(GapSighting)
            .where(GapSighting.collection_id == collection_id, col(GapSighting.gap_id).is_(None))
            .order_by(col(GapSighting.seen_at))
        )
    ).all()
    if not waiting:
        return
    newest = col(KnowledgeGap.created_at).desc()
    known = await session.exec(
        select(KnowledgeGap).where(KnowledgeGap.collection_id == collection_id).order_by(newest).limit(_COMPARED)
    )
    gaps = list(known.all())
    for sighting in waiting:
        gap = _same(sighting, gaps)
        if gap is None:
            gap = KnowledgeGap(
                id=uuid4(),
                org_id=org_id,
                collection_id=collection_id,
                question=sighting.question,
                vector=sighting.vector,
            )
            session.add(gap)
            await session.flush()
            gaps.append(gap)
        elif gap.state == "resolved":
            gap.state = "open"
        gap.updated_at = now()
        sighting.gap_id = gap.id
    await session.flush()


def _same(sighting: GapSighting, gaps: Sequence[KnowledgeGap]) -> KnowledgeGap | None:
    if not gaps:
        return None
    vectors = np.stack([np.frombuffer(gap.vector, "<f2") for gap in gaps]).astype(np.float32)
    cosines = vectors @ np.frombuffer(sighting.vector, "<f2").astype(np.float32)
    best = int(np.argmax(cosines))
    return gaps[best] if cosines[best] >= _SAME else None


async def list_gaps(
    session: AsyncSession,
    collection_id: UUID,
    *,
    state: str | None = None,
    after: Cursor | None = None,
    limit: int = 50,
) -> list[GapRow]:
    """Newest first, at most `limit`; `after` is the cursor of the last one seen. Raises NotFound (collection)."""
    await get_collection(session, collection_id)
    created_at, row_id = col(KnowledgeGap.created_at), col(KnowledgeGap.id)
    statement = select(KnowledgeGap).where(KnowledgeGap.collection_id == collection_id, _met())
    if state is not None:
        statement = statement.where(KnowledgeGap.state == state)
    if after is not None:
        statement = statement.where(tuple_(created_at, row_id) < after)
    found = (await session.exec(statement.order_by(created_at.desc(), row_id.desc()).limit(limit))).all()
    return await _with_sightings(session, found)


async def get_gap(session: AsyncSession, gap_id: UUID) -> GapRow:
    """Raises NotFound."""
    gap = await session.get(KnowledgeGap, gap_id)
    rows = await _with_sightings(session, [gap]) if gap is not None else []
    if not rows:
        raise NotFound("no such gap")
    return rows[0]


async def update_gap(
    session: AsyncSession, gap_id: UUID, *, state: str | None = None, note: str | None = None
) -> GapRow:
    """What is None stays. Raises NotFound."""
    gap = (await get_gap(session, gap_id)).gap
    gap.state = gap.state if state is None else state
    gap.note = gap.note if note is None else note
    gap.updated_at = now()
    await session.flush()
    return await get_gap(session, gap_id)


def _met() -> Any:
    """A gap whose last sighting was withdrawn is none."""
    return select(1).where(col(GapSighting.gap_id) == col(KnowledgeGap.id)).exists()


async def _with_sightings(session: AsyncSession, gaps: Sequence[KnowledgeGap]) -> list[GapRow]:
    ids = [gap.id for gap in gaps]
    place = func.row_number().over(partition_by=col(GapSighting.gap_id), order_by=col(GapSighting.seen_at).desc())
    count = func.count().over(partition_by=col(GapSighting.gap_id))
    ranked = (
        select(GapSighting.turn_id, GapSighting.collection_id, place.label("place"), count.label("count"))
        .where(col(GapSighting.gap_id).in_(ids))
        .subquery()
    )
    rows = (
        await session.exec(
            select(GapSighting, ranked.c.count)
            .join(
                ranked,
                (col(GapSighting.turn_id) == ranked.c.turn_id)
                & (col(GapSighting.collection_id) == ranked.c.collection_id),
            )
            .where(ranked.c.place <= _EXAMPLES)
            .order_by(ranked.c.place)
        )
    ).all()
    of: dict[UUID | None, list[tuple[GapSighting, int]]] = {}
    for sighting, number in rows:
        of.setdefault(sighting.gap_id, []).append((sighting, number))
    return [
        GapRow(gap, of[gap.id][0][1], of[gap.id][0][0].seen_at, [sighting for sighting, _ in of[gap.id]])
        for gap in gaps
        if gap.id in of
    ]
