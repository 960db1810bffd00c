"""What a customer thought of a reply. Callers own the transaction; row-level security picks the tenant."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.tables.agents import AgentVersion
from db.tables.columns import now
from db.tables.conversations import Message, Turn, TurnPassage
from db.tables.questions import MessageFeedback
from domain.agents.config import AgentConfig
from domain.errors import Invalid, NotFound


@dataclass(frozen=True, slots=True)
class Rated:
    """A reply that was rated: what was asked, and where its answer was looked for."""

    feedback: MessageFeedback
    question: str
    config: AgentConfig
    evidence: list[UUID]
    """Collections of the passages that the reply was given, best passage first."""


async def rate(session: AsyncSession, org_id: UUID, message_id: UUID, rating: str, comment: str) -> Rated:
    """The last rating of a reply counts. Idempotent. Raises NotFound, Invalid (a customer's own message)."""
    message = await session.get(Message, message_id)
    if message is None:
        raise NotFound("no such message")
    if message.role != "assistant" or message.turn_id is None:
        raise Invalid("only a reply can be rated")
    turn = (await session.exec(select(Turn).where(Turn.id == message.turn_id))).one()
    values = {"rating": rating, "comment": comment, "updated_at": now()}
    statement = insert(MessageFeedback).values(
        message_id=message_id, org_id=org_id, turn_id=turn.id, created_at=now(), **values
    )
    await session.exec(statement.on_conflict_do_update(index_elements=["message_id"], set_=values))
    feedback = (
        await session.exec(
            select(MessageFeedback)
            .where(MessageFeedback.message_id == message_id)
            .execution_options(populate_existing=True)
        )
    ).one()
    return Rated(feedback, await _question(session, turn), await _config(session, turn), await _evidence(session, turn))


async def _question(session: AsyncSession, turn: Turn) -> str:
    """As it was searched for, else as it was said."""
    searched = turn.record.get("rewrite", {}).get("query")
    if searched:
        return str(searched)
    said = await session.exec(
        select(Message.text).where(Message.turn_id == turn.id, Message.role == "user").order_by(col(Message.position))
    )
    return "\n".join(said.all())


async def _config(session: AsyncSession, turn: Turn) -> AgentConfig:
    version = (await session.exec(select(AgentVersion).where(AgentVersion.id == turn.agent_version_id))).one()
    return AgentConfig.model_validate(version.config)


async def _evidence(session: AsyncSession, turn: Turn) -> list[UUID]:
    rows = await session.exec(
        select(TurnPassage.collection_id).where(TurnPassage.turn_id == turn.id).order_by(col(TurnPassage.marker))
    )
    return list(dict.fromkeys(rows.all()))
