"""Kept vectors of passages, by what was embedded and by which model. Not for computing them: see `vectors.py`."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.tables.columns import now
from db.tables.knowledge import Embedding

_TOUCHED_AFTER = timedelta(days=1)
"""A vector in use is marked as used at most once a day: a write for each reading would cost more than the reading."""


async def known(session: AsyncSession, model: str, hashes: Sequence[bytes]) -> dict[bytes, bytes]:
    """Those vectors that are kept, by hash; they count as used now."""
    mine = (col(Embedding.model) == model, col(Embedding.content_hash).in_(hashes))
    rows = (await session.exec(select(Embedding.content_hash, Embedding.vector).where(*mine))).all()
    stale = col(Embedding.used_at) < now() - _TOUCHED_AFTER
    await session.exec(update(Embedding).where(*mine, stale).values(used_at=now()))
    return {bytes(content_hash): bytes(vector) for content_hash, vector in rows}


async def keep(session: AsyncSession, org_id: UUID, model: str, vectors: Mapping[bytes, bytes]) -> None:
    """Idempotent."""
    if not vectors:
        return
    rows = [
        Embedding(org_id=org_id, model=model, content_hash=content_hash, vector=vector).model_dump()
        # In order, so that two writers of the same vectors never wait for each other in a circle.
        for content_hash, vector in sorted(vectors.items())
    ]
    await session.exec(insert(Embedding).values(rows).on_conflict_do_nothing())


async def prune(session: AsyncSession, *, before: datetime) -> int:
    """Forget what was not used since, and how many those were. Idempotent."""
    gone = await session.exec(delete(Embedding).where(col(Embedding.used_at) < before))
    return gone.rowcount
