"""What was paid for and what was done to the world, each exactly once."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Field, SQLModel

from db.tables.columns import jsonb, micros, timestamp


class ModelCall(SQLModel, table=True):
    """One call to a provider. state: reserved | settled; outcome says how it ended (`domain.models.call`).

    place and number name it: the step that called, and which call of it, from 1. attempt is that of the step.
    Cost in millionths of a US dollar; price says whose price it is. What is reserved is more than it can cost.
    """

    __tablename__ = "model_calls"

    org_id: UUID = Field(primary_key=True, foreign_key="orgs.id")
    place: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    task: str = "reply"
    turn_id: UUID | None = None
    conversation_id: UUID | None = None
    agent_id: UUID | None = None
    api_key_id: UUID | None = None
    state: str = "reserved"
    outcome: str | None = None
    attempt: int = 1
    provider: str
    model: str
    price: str = "unknown"
    reserved_micros: int = micros()
    reserved_input_tokens: int = 0
    reserved_output_tokens: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_written_tokens: int = 0
    reasoning_tokens: int = 0
    cost_micros: int = micros()
    estimated: bool = False
    latency_ms: float | None = None
    first_token_ms: float | None = None
    detail: str | None = None
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
