"""Conversations, messages, turns with their evidence, and the event log."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Field, SQLModel

from db.tables.columns import jsonb, timestamp


class Conversation(SQLModel, table=True):
    """kind: conversation | one_shot. state: open | closed."""

    __tablename__ = "conversations"

    id: UUID = Field(primary_key=True)
    org_id: UUID = Field(foreign_key="orgs.id")
    agent_id: UUID = Field(foreign_key="agents.id")
    agent_version_id: UUID = Field(foreign_key="agent_versions.id")
    kind: str = "conversation"
    state: str = "open"
    title: str = ""
    labels: dict[str, Any] = jsonb()
    created_at: datetime = timestamp()
    updated_at: datetime = timestamp()
    closed_at: datetime | None = timestamp(optional=True)


class Message(SQLModel, table=True):
    """position orders a conversation; role: user | assistant."""

    __tablename__ = "messages"

    id: UUID = Field(primary_key=True)
    org_id: UUID = Field(foreign_key="orgs.id")
    conversation_id: UUID = Field(foreign_key="conversations.id")
    turn_id: UUID | None = None
    position: int
    role: str
    text: str
    citations: list[dict[str, Any]] = jsonb(list)
    client_key: str | None = None
    created_at: datetime = timestamp()


class Turn(SQLModel, table=True):
    """state: running | completed | failed | handed_over. record: route, verdicts, timings, tools of the turn.

    parks: pauses because nobody could answer; parked_at the first, parked_until the end of the present one.
    """

    __tablename__ = "turns"

    id: UUID = Field(primary_key=True)
    org_id: UUID = Field(foreign_key="orgs.id")
    conversation_id: UUID = Field(foreign_key="conversations.id")
    agent_version_id: UUID = Field(foreign_key="agent_versions.id")
    number: int
    state: str = "running"
    language: str | None = None
    intent: str | None = None
    record: dict[str, Any] = jsonb()
    error_code: str | None = None
    error_detail: str | None = None
    started_at: datetime = timestamp()
    finished_at: datetime | None = timestamp(optional=True)
    parks: int = 0
    parked_at: datetime | None = timestamp(optional=True)
    parked_until: datetime | None = timestamp(optional=True)


class TurnPassage(SQLModel, table=True):
    """Evidence as it was seen: it outlives any change of the document."""

    __tablename__ = "turn_passages"

    turn_id: UUID = Field(primary_key=True, foreign_key="turns.id")
    marker: int = Field(primary_key=True)
    org_id: UUID = Field(foreign_key="orgs.id")
    collection_id: UUID
    document_id: UUID
    passage_id: str
    title: str
    heading: str
    page: int | None = None
    char_start: int
    char_end: int
    text: str
    score: float


class EventStream(SQLModel, table=True):
    """The head of a conversation's log: its last number, who may speak, and how much of this turn was shown."""

    __tablename__ = "event_streams"

    conversation_id: UUID = Field(primary_key=True, foreign_key="conversations.id")
    org_id: UUID = Field(foreign_key="orgs.id")
    last_seq: int = 0
    fence: int = 0
    turn_id: UUID | None = None
    shown: int = 0
    spoken: bool = False


class Event(SQLModel, table=True):
    __tablename__ = "events"

    conversation_id: UUID = Field(primary_key=True)
    seq: int = Field(primary_key=True)
    org_id: UUID
    turn_id: UUID | None = None
    type: str
    data: dict[str, Any] = jsonb()
    created_at: datetime = timestamp()
