"""Organisations, their API keys, and the answers kept for repeated requests."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Column, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlmodel import Field, SQLModel

from db.tables.columns import timestamp


class Org(SQLModel, table=True):
    __tablename__ = "orgs"

    id: UUID = Field(primary_key=True)
    name: str
    created_at: datetime = timestamp()


class ApiKey(SQLModel, table=True):
    """prefix is what a person may see of the key; the secret exists only as its SHA-256."""

    __tablename__ = "api_keys"

    id: UUID = Field(primary_key=True)
    org_id: UUID = Field(foreign_key="orgs.id")
    name: str
    prefix: str
    secret_hash: bytes
    permissions: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    created_at: datetime = timestamp()
    last_used_at: datetime | None = timestamp(optional=True)
    revoked_at: datetime | None = timestamp(optional=True)


class IdempotencyKey(SQLModel, table=True):
    """status is null while the first request is still at work."""

    __tablename__ = "idempotency_keys"

    org_id: UUID = Field(primary_key=True, foreign_key="orgs.id")
    key: str = Field(primary_key=True)
    request: str
    body_hash: str
    status: int | None = None
    headers: dict[str, str] | None = Field(default=None, sa_column=Column(JSONB))
    body: bytes | None = None
    created_at: datetime = timestamp()
