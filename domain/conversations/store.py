"""Conversations as callers see them: made, listed and read. Not for running turns: see `turn_store.py`.

Callers own the transaction; row-level security picks the tenant.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from sqlalchemy import tuple_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.engine import Database
from db.tables.conversations import Conversation, EventStream, Message, Turn, TurnPassage
from db.tables.ledgers import ModelCall, ToolCall
from domain.conversations.parking_store import Attention, needs
from domain.errors import NotFound


@dataclass(frozen=True, slots=True)
class Incoming:
    """All that posting a message must know, read in one round trip.

    message_id and its fellows are those of the message stored before with this client key.
    turn_state: running | completed | failed, of the turn that takes it up.
    """

    state: str
    agent_version_id: UUID
    last_seq: int
    message_id: UUID | None
    message_text: str | None
    turn_id: UUID | None
    turn_state: str | None


@dataclass(frozen=True, slots=True)
class TurnDetail:
    """A turn with everything that explains it."""

    turn: Turn
    passages: list[TurnPassage]
    model_calls: list[ModelCall]
    tool_calls: list[ToolCall]


@dataclass(frozen=True, slots=True)
class GivenLine:
    """A message of a history that the caller brings along. role: user | assistant."""

    role: str
    text: str


async def create_conversation(
    session: AsyncSession,
    conversation_id: UUID,
    org_id: UUID,
    agent_id: UUID,
    agent_version_id: UUID,
    *,
    title: str = "",
    labels: dict[str, str] | None = None,
) -> Conversation:
    """An open conversation with an empty log."""
    conversation = Conversation(
        id=conversation_id,
        org_id=org_id,
        agent_id=agent_id,
        agent_version_id=agent_version_id,
        title=title,
        labels=labels or {},
    )
    session.add(conversation)
    await session.flush()
    session.add(EventStream(conversation_id=conversation.id, org_id=org_id))
    await session.flush()
    return conversation


async def create_one_shot(
    session: AsyncSession,
    conversation_id: UUID,
    org_id: UUID,
    agent_id: UUID,
    agent_version_id: UUID,
    *,
    history: Sequence[GivenLine],
    labels: dict[str, str] | None = None,
) -> Conversation:
    """A conversation of one turn, with its history. Closed from the start: nobody can add to it."""
    conversation = await create_conversation(
        session, conversation_id, org_id, agent_id, agent_version_id, labels=labels
    )
    conversation.kind, conversation.state = "one_shot", "closed"
    conversation.closed_at = conversation.created_at
    session.add(conversation)
    session.add_all(
        Message(
            id=_line_id(conversation_id, position),
            org_id=org_id,
            conversation_id=conversation_id,
            position=position,
            role=line.role,
            text=line.text,
        )
        for position, line in enumerate(history, 1)
    )
    await session.flush()
    return conversation


async def find_conversation(session: AsyncSession, conversation_id: UUID) -> Conversation | None:
    return await session.get(Conversation, conversation_id)


async def get_conversation(session: AsyncSession, conversation_id: UUID) -> Conversation:
    """Raises NotFound."""
    conversation = await find_conversation(session, conversation_id)
    if conversation is None:
        raise NotFound("no such conversation")
    return conversation


async def list_conversations(
    session: AsyncSession,
    *,
    kind: str = "conversation",
    agent_id: UUID | None = None,
    state: str | None = None,
    attention: Attention | None = None,
    after: tuple[datetime, UUID] | None = None,
    limit: int = 50,
) -> list[Conversation]:
    """Newest first; `after` is (created_at, id) of the last one seen."""
    created_at, row_id = col(Conversation.created_at), col(Conversation.id)
    statement = select(Conversation).where(Conversation.kind == kind)
    if agent_id is not None:
        statement = statement.where(Conversation.agent_id == agent_id)
    if state is not None:
        statement = statement.where(Conversation.state == state)
    if attention is not None:
        statement = statement.where(needs(attention))
    if after is not None:
        statement = statement.where(tuple_(created_at, row_id) < after)
    return list((await session.exec(statement.order_by(created_at.desc(), row_id.desc()).limit(limit))).all())


async def list_messages(
    session: AsyncSession, conversation_id: UUID, *, after: int = 0, limit: int = 50
) -> list[Message]:
    """Oldest first, positions above `after`. Raises NotFound (conversation)."""
    await get_conversation(session, conversation_id)
    statement = (
        select(Message)
        .where(Message.conversation_id == conversation_id, Message.position > after)
        .order_by(col(Message.position))
        .limit(limit)
    )
    return list((await session.exec(statement)).all())


async def list_turns(session: AsyncSession, conversation_id: UUID, *, after: int = 0, limit: int = 50) -> list[Turn]:
    """Oldest first, numbers above `after`. Raises NotFound (conversation)."""
    await get_conversation(session, conversation_id)
    statement = (
        select(Turn)
        .where(Turn.conversation_id == conversation_id, Turn.number > after)
        .order_by(col(Turn.number))
        .limit(limit)
    )
    return list((await session.exec(statement)).all())


async def get_turn(session: AsyncSession, turn_id: UUID) -> TurnDetail:
    """Raises NotFound."""
    turn = await session.get(Turn, turn_id)
    if turn is None:
        raise NotFound("no such turn")
    passages = select(TurnPassage).where(TurnPassage.turn_id == turn_id).order_by(col(TurnPassage.marker))
    models = select(ModelCall).where(ModelCall.turn_id == turn_id).order_by(col(ModelCall.reserved_at))
    tools = select(ToolCall).where(ToolCall.turn_id == turn_id).order_by(col(ToolCall.claimed_at))
    return TurnDetail(
        turn=turn,
        passages=list((await session.exec(passages)).all()),
        model_calls=list((await session.exec(models)).all()),
        tool_calls=list((await session.exec(tools)).all()),
    )


async def read_incoming(database: Database, org_id: UUID, conversation_id: UUID, client_key: str) -> Incoming:
    """One round trip, no transaction of its own. Raises NotFound."""
    row = await database.pool.fetchrow("SELECT * FROM read_incoming($1, $2, $3)", org_id, conversation_id, client_key)
    if row is None:
        raise NotFound("no such conversation")
    return Incoming(*row)


async def first_seq(database: Database, org_id: UUID, conversation_id: UUID, turn_id: UUID) -> int:
    """The number of a turn's first event; 0 when it has none."""
    async with database.transaction(org_id) as connection:
        found = await connection.fetchval(
            "SELECT min(seq) FROM events WHERE conversation_id = $1 AND turn_id = $2", conversation_id, turn_id
        )
    return int(found or 0)


def _line_id(conversation_id: UUID, position: int) -> UUID:
    return uuid5(conversation_id, f"history/{position}")
