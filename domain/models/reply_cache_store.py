"""Rows of replies that may be used again. Not for deciding which may: see `reply_cache.py`."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from db.engine import Database
from db.tables.spending import CachedReply


@dataclass(frozen=True, slots=True)
class KeptReply:
    """provider and model answered; cost_micros is what they asked for it then."""

    text: str
    provider: str
    model: str
    cost_micros: int


async def find(database: Database, org_id: UUID, key: bytes) -> KeptReply | None:
    """None when there is none, or it is too old."""
    async with database.transaction(org_id) as connection:
        row = await connection.fetchrow(
            """SELECT reply, provider, model, cost_micros FROM cached_replies
               WHERE org_id = $1 AND key = $2 AND expires_at > clock_timestamp()""",
            org_id,
            key,
        )
    return None if row is None else KeptReply(row["reply"]["text"], row["provider"], row["model"], row["cost_micros"])


async def keep(database: Database, org_id: UUID, key: bytes, reply: KeptReply, seconds: int) -> None:
    """The newest reply to a request takes the place of the one before."""
    async with database.transaction(org_id) as connection:
        await connection.execute(
            """INSERT INTO cached_replies (org_id, key, provider, model, reply, cost_micros, expires_at)
               VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp() + $7::interval)
               ON CONFLICT (org_id, key) DO UPDATE SET provider = excluded.provider, model = excluded.model,
                   reply = excluded.reply, cost_micros = excluded.cost_micros, created_at = excluded.created_at,
                   expires_at = excluded.expires_at""",
            org_id,
            key,
            reply.provider,
            reply.model,
            {"text": reply.text},
            reply.cost_micros,
            timedelta(seconds=seconds),
        )


async def prune(session: AsyncSession, *, before: datetime) -> int:
    """Forget what was too old by then. How many there were."""
    gone = await session.exec(
        delete(CachedReply).where(col(CachedReply.expires_at) < before).returning(col(CachedReply.key))
    )
    return len(gone.all())
