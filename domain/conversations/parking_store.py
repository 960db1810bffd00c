"""Parked turns and conversations that a person must look at. Not for how long a turn waits: see `outage.py`."""

from collections.abc import Sequence
from typing import Any, Literal, cast
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, or_, select
from sqlmodel import col
from sqlmodel.ext.asyncio.session import AsyncSession

from contracts.ids import fence
from contracts.turn import TurnRef
from db.engine import Database
from db.tables.conversations import Conversation, Turn
from domain.errors import Superseded

Attention = Literal["parked", "handed_over"]
"""parked: its turn waits because no model can answer. handed_over: its last turn ended so, and nobody answered."""

_STEP_ATTEMPTS_MAX = 4095


async def park(
    database: Database, ref: TurnRef, *, number: int, step: int, pause: int, seconds: float, told: dict[str, Any]
) -> bool:
    """Begin a pause, counted from 1, and tell readers. True when they have already read a part of the reply.

    Idempotent by pause. Silences whoever spoke until now. Raises Superseded when the turn does not run any more.
    """
    spoken = await database.pool.fetchval(
        "SELECT park_turn($1, $2, $3, $4, $5, $6, $7)",
        ref.org_id,
        ref.conversation_id,
        ref.turn_id,
        fence(number, step, _STEP_ATTEMPTS_MAX),
        pause,
        seconds,
        {"pause": pause, **told},
    )
    if spoken is None:
        raise Superseded("this turn does not run any more")
    return bool(spoken)


async def unpark(database: Database, ref: TurnRef, *, pause: int, woken: str) -> None:
    """End a pause, and tell readers. Idempotent; nothing happens when it has ended."""
    await database.pool.execute(
        "SELECT unpark_turn($1, $2, $3, $4, $5)",
        ref.org_id,
        ref.conversation_id,
        ref.turn_id,
        pause,
        {"pause": pause, "woken": woken},
    )


async def attention(session: AsyncSession, conversations: Sequence[UUID]) -> dict[UUID, Attention]:
    """Which of these need attention, and why."""
    why = case((col(Turn.state) == "handed_over", "handed_over"), else_="parked")
    rows = await session.exec(  # type: ignore[call-overload]
        select(col(Turn.conversation_id), why).where(
            col(Turn.conversation_id).in_(conversations), or_(_waits("parked"), _waits("handed_over"))
        )
    )
    return {conversation: cast("Attention", each) for conversation, each in rows}


def needs(why: Attention) -> ColumnElement[bool]:
    """A condition on conversations."""
    return col(Conversation.id).in_(select(col(Turn.conversation_id)).where(_waits(why)))


def _waits(why: Attention) -> ColumnElement[bool]:
    """A condition on turns. A turn that came after one that was handed over takes its place."""
    if why == "parked":
        return and_(col(Turn.state) == "running", col(Turn.parked_until).is_not(None))
    later = Turn.__table__.alias("later")  # type: ignore[attr-defined]
    newer = select(later.c.id).where(
        later.c.conversation_id == Turn.conversation_id, later.c.number > Turn.number, later.c.state == "completed"
    )
    return and_(col(Turn.state) == "handed_over", ~newer.exists())
