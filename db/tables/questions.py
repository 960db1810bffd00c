"""Questions a collection could not answer, what customers thought of replies, and questions it must find answers to."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Column, Text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlmodel import Field, SQLModel

from db.tables.columns import jsonb, timestamp


class KnowledgeGap(SQLModel, table=True):
    """state: open | resolved | dismissed. vector: the question's, float16 little endian."""

    __tablename__ = "knowledge_gaps"

    id: UUID = Field(primary_key=True)
    org_id: UUID = Field(foreign_key="orgs.id")
    collection_id: UUID = Field(foreign_key="collections.id")
    question: str
    vector: bytes
    state: str = "open"
    note: str = ""
    created_at: datetime = timestamp()
    updated_at: datetime = timestamp()


class GapSighting(SQLModel, table=True):
    """A turn whose question the collection could not answer. gap_id None: not gathered yet."""

    __tablename__ = "gap_sightings"

    turn_id: UUID = Field(primary_key=True, foreign_key="turns.id")
    collection_id: UUID = Field(primary_key=True, foreign_key="collections.id")
    org_id: UUID = Field(foreign_key="orgs.id")
    gap_id: UUID | None = Field(default=None, foreign_key="knowledge_gaps.id")
    reasons: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    question: str
    vector: bytes
    seen_at: datetime = timestamp()


class MessageFeedback(SQLModel, table=True):
    """What a customer thought of a reply. rating: good | bad."""

    __tablename__ = "message_feedback"

    message_id: UUID = Field(primary_key=True, foreign_key="messages.id")
    org_id: UUID = Field(foreign_key="orgs.id")
    turn_id: UUID = Field(foreign_key="turns.id")
    rating: str
    comment: str = ""
    created_at: datetime = timestamp()
    updated_at: datetime = timestamp()


class RetrievalTest(SQLModel, table=True):
    """A question and what a search must find for it: documents, passages or phrases."""

    __tablename__ = "retrieval_tests"

    id: UUID = Field(primary_key=True)
    org_id: UUID = Field(foreign_key="orgs.id")
    collection_id: UUID = Field(foreign_key="collections.id")
    question: str
    history: list[dict[str, str]] = jsonb(list)
    expected: dict[str, Any] = jsonb()
    created_at: datetime = timestamp()
    updated_at: datetime = timestamp()
