"""Agents and their immutable versions."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Field, SQLModel

from db.tables.columns import jsonb, timestamp


class Agent(SQLModel, table=True):
    __tablename__ = "agents"

    id: UUID = Field(primary_key=True)
    org_id: UUID = Field(foreign_key="orgs.id")
    name: str
    description: str = ""
    current_version_id: UUID | None = None
    created_at: datetime = timestamp()
    updated_at: datetime = timestamp()
    archived_at: datetime | None = timestamp(optional=True)


class AgentVersion(SQLModel, table=True):
    """Never updated: a conversation keeps the version that it began with."""

    __tablename__ = "agent_versions"

    id: UUID = Field(primary_key=True)
    org_id: UUID = Field(foreign_key="orgs.id")
    agent_id: UUID = Field(foreign_key="agents.id")
    number: int
    config: dict[str, Any] = jsonb()
    content_hash: str
    created_at: datetime = timestamp()
