"""Column types that Postgres has and SQLModel does not guess."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, Column, DateTime
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field


def now() -> datetime:
    return datetime.now(UTC)


def timestamp(*, optional: bool = False) -> Any:
    """A timestamp with time zone; filled at insert unless optional."""
    if optional:
        return Field(default=None, sa_type=DateTime(timezone=True), nullable=True)
    return Field(default_factory=now, sa_type=DateTime(timezone=True), nullable=False)


def jsonb(default: Any = dict) -> Any:
    """A JSON document; `default` is the factory of an empty one."""
    return Field(default_factory=default, sa_column=Column(JSONB, nullable=False))


def micros(*, required: bool = False) -> Any:
    """Millionths of a US dollar. A plain int would be a column of 32 bits, which ends at 2,147 dollars."""
    if required:
        return Field(sa_type=BigInteger)
    return Field(default=0, sa_type=BigInteger)
