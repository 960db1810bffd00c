"""Which models may answer: policies by organisation and agent. Not for what calls cost: see `ledgers.py`."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Field, SQLModel

from db.tables.columns import jsonb, timestamp


class ModelPolicyRow(SQLModel, table=True):
    """Never updated: the highest number of an agent, or of the organisation (agent_id null), is in force."""

    __tablename__ = "model_policies"

    id: UUID = Field(primary_key=True)
    org_id: UUID = Field(foreign_key="orgs.id")
    agent_id: UUID | None = Field(default=None, foreign_key="agents.id")
    number: int
    policy: dict[str, Any] = jsonb()
    note: str = ""
    created_at: datetime = timestamp()
