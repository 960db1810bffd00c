"""What may be spent, what models cost, and replies that need not be paid for twice. Not the calls: see `ledgers.py`."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlmodel import Field, SQLModel

from db.tables.columns import jsonb, micros, timestamp


class Budget(SQLModel, table=True):
    """scope: organisation | agent | api_key; scope_id names the agent or the key. period: day | month, of UTC.

    stops: calls that could pass the limit are not made. Amounts in millionths of a US dollar.
    """

    __tablename__ = "budgets"

    id: UUID = Field(primary_key=True)
    org_id: UUID = Field(foreign_key="orgs.id")
    scope: str
    scope_id: UUID | None = None
    period: str
    limit_micros: int = micros(required=True)
    warn_percent: int | None = None
    stops: bool = True
    created_at: datetime = timestamp()
    updated_at: datetime = timestamp()


class BudgetPeriod(SQLModel, table=True):
    """What is used of a budget in one day or month; refused: calls that were not made because of it."""

    __tablename__ = "budget_periods"

    budget_id: UUID = Field(primary_key=True, foreign_key="budgets.id")
    starts_on: date = Field(primary_key=True)
    org_id: UUID = Field(foreign_key="orgs.id")
    spent_micros: int = micros()
    reserved_micros: int = micros()
    refused: int = 0
    warned_at: datetime | None = timestamp(optional=True)


class ModelPrice(SQLModel, table=True):
    """US dollars for a million tokens, from a moment on. source: where the organisation has it from."""

    __tablename__ = "model_prices"

    id: UUID = Field(primary_key=True)
    org_id: UUID = Field(foreign_key="orgs.id")
    provider: str
    model: str
    valid_from: datetime = timestamp()
    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None
    cache_write: Decimal | None = None
    source: str
    created_at: datetime = timestamp()


class CachedReply(SQLModel, table=True):
    """An answer to a request that may come again. key: SHA-256 of all that the answer depends on."""

    __tablename__ = "cached_replies"

    org_id: UUID = Field(primary_key=True, foreign_key="orgs.id")
    key: bytes = Field(primary_key=True)
    provider: str
    model: str
    reply: dict[str, Any] = jsonb()
    cost_micros: int = micros(required=True)
    created_at: datetime = timestamp()
    expires_at: datetime = timestamp()
