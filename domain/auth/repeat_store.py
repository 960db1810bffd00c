"""Answers kept under their Idempotency-Key, so that a repeated request changes nothing twice.

The claim, the work and the answer are one transaction: a failure leaves no trace of the key.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.tables.auth import IdempotencyKey
from domain.errors import IdempotencyKeyReused


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    status: int
    headers: dict[str, str]
    body: bytes


async def claim(session: AsyncSession, org_id: UUID, key: str, request: str, body_hash: str) -> KeptAnswer | None:
    """None: the key is ours, do the work. Else the answer of the first request with this key.

    Waits for a concurrent request with the same key to end. Raises IdempotencyKeyReused when the
    key was used for another method, path, caller or body.
    """
    row = IdempotencyKey(org_id=org_id, key=key, request=request, body_hash=body_hash)
    statement = (
        insert(IdempotencyKey)
        .values(row.model_dump(include={"org_id", "key", "request", "body_hash", "created_at"}))
        .on_conflict_do_nothing()
        .returning(col(IdempotencyKey.key))
    )
    if (await session.exec(statement)).scalar_one_or_none() is not None:
        return None
    known = (await session.exec(select(IdempotencyKey).where(IdempotencyKey.key == key))).one()
    if (known.request, known.body_hash) != (request, body_hash):
        raise IdempotencyKeyReused("this Idempotency-Key was used for another request; choose a new one")
    return KeptAnswer(known.status or 200, known.headers or {}, known.body or b"")


async def keep(session: AsyncSession, key: str, answer: KeptAnswer) -> None:
    """Store the answer of the request that claimed the key."""
    await session.exec(
        update(IdempotencyKey)
        .where(col(IdempotencyKey.key) == key)
        .values(status=answer.status, headers=answer.headers, body=answer.body)
    )


async def prune(session: AsyncSession, *, before: datetime) -> int:
    """Forget keys older than that, and how many those were: a repeat so late is a new request. Idempotent."""
    gone = await session.exec(delete(IdempotencyKey).where(col(IdempotencyKey.created_at) < before))
    return gone.rowcount
