"""What was paid for and what was done to the world, each exactly once."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Field, SQLModel

from db.tables.columns import jsonb, timestamp


class ModelCall(SQLModel, table=True):
    """state: reserved | settled | superseded | abandoned. Cost in millionths of a US dollar."""

    __tablename__ = "model_calls"

    turn_id: UUID = Field(primary_key=True, foreign_key="turns.id")
    step: int = Field(primary_key=True)
    org_id: UUID = Field(foreign_key="orgs.id")
    state: str = "reserved"
    attempts: int = 1
    provider: str
    model: str
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cost_micros: int = 0
    first_token_ms: float | None = None
    reserved_at: datetime = timestamp()
    settled_at: datetime | None = timestamp(optional=True)


class ToolCall(SQLModel, table=True):
    """state: claimed | sent | succeeded | failed | unknown."""

    __tablename__ = "tool_calls"

    turn_id: UUID = Field(primary_key=True, foreign_key="turns.id")
    call_key: str = Field(primary_key=True)
    org_id: UUID = Field(foreign_key="orgs.id")
    idempotency_key: str
    name: str
    arguments: dict[str, Any] = jsonb()
    state: str = "claimed"
    attempts: int = 1
    outcome: str | None = None
    claimed_at: datetime = timestamp()
    finished_at: datetime | None = timestamp(optional=True)
