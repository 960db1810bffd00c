"""Rows of retrieval tests. Callers own the transaction; row-level security picks the tenant."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import delete, func, tuple_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.tables.columns import now
from db.tables.questions import RetrievalTest
from domain.errors import Conflict, NotFound
from domain.knowledge.store import get_collection

MOST_TESTS = 2000
"""Of a collection: a run searches once for each, some 10 ms."""

Cursor = tuple[datetime, UUID]


@dataclass(frozen=True, slots=True)
class NewTest:
    """expected: documents (ids as text), passages, phrases. history: role and text of each line, oldest first."""

    question: str
    history: list[dict[str, str]]
    expected: dict[str, Any]


async def add(
    session: AsyncSession, org_id: UUID, collection_id: UUID, tests: Sequence[NewTest]
) -> list[RetrievalTest]:
    """Raises NotFound (collection), Conflict (more than a collection may have)."""
    await get_collection(session, collection_id)
    mine = RetrievalTest.collection_id == collection_id
    known = (await session.exec(select(func.count()).select_from(RetrievalTest).where(mine))).one()
    if known + len(tests) > MOST_TESTS:
        raise Conflict(f"a collection has at most {MOST_TESTS} retrieval tests")
    rows = [
        RetrievalTest(
            id=uuid4(),
            org_id=org_id,
            collection_id=collection_id,
            question=test.question,
            history=test.history,
            expected=test.expected,
        )
        for test in tests
    ]
    session.add_all(rows)
    await session.flush()
    return rows


async def get(session: AsyncSession, collection_id: UUID, test_id: UUID) -> RetrievalTest:
    """Raises NotFound, also for a test of another collection."""
    row = await session.get(RetrievalTest, test_id)
    if row is None or row.collection_id != collection_id:
        raise NotFound("no such retrieval test")
    return row


async def listed(
    session: AsyncSession, collection_id: UUID, *, after: Cursor | None = None, limit: int = MOST_TESTS
) -> list[RetrievalTest]:
    """Newest first, at most `limit`. Raises NotFound (collection)."""
    await get_collection(session, collection_id)
    created_at, row_id = col(RetrievalTest.created_at), col(RetrievalTest.id)
    statement = select(RetrievalTest).where(RetrievalTest.collection_id == collection_id)
    if after is not None:
        statement = statement.where(tuple_(created_at, row_id) < after)
    return list((await session.exec(statement.order_by(created_at.desc(), row_id.desc()).limit(limit))).all())


async def change(session: AsyncSession, collection_id: UUID, test_id: UUID, values: dict[str, Any]) -> RetrievalTest:
    """What is not in `values` stays. Raises NotFound."""
    row = await get(session, collection_id, test_id)
    for name, value in values.items():
        setattr(row, name, value)
    row.updated_at = now()
    await session.flush()
    return row


async def remove(session: AsyncSession, collection_id: UUID, test_id: UUID) -> None:
    """Raises NotFound."""
    row = await get(session, collection_id, test_id)
    await session.exec(delete(RetrievalTest).where(col(RetrievalTest.id) == row.id))
