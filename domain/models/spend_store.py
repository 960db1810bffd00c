"""What was spent, summed from the calls in the ledger by whatever is asked. Not for writing them: `ledger_store.py`.

Callers own the transaction; row-level security picks the tenant.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Date, cast, func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.tables.ledgers import ModelCall

Dimension = Literal[
    "day", "month", "agent", "api_key", "conversation", "turn", "provider", "model", "task", "outcome", "price"
]

_UTC_DAY = cast(func.timezone("UTC", col(ModelCall.reserved_at)), Date)

_BY: dict[Dimension, Any] = {
    "day": _UTC_DAY,
    "month": cast(func.date_trunc("month", _UTC_DAY), Date),
    "agent": col(ModelCall.agent_id),
    "api_key": col(ModelCall.api_key_id),
    "conversation": col(ModelCall.conversation_id),
    "turn": col(ModelCall.turn_id),
    "provider": col(ModelCall.provider),
    "model": col(ModelCall.model),
    "task": col(ModelCall.task),
    "outcome": func.coalesce(col(ModelCall.outcome), "open"),
    "price": col(ModelCall.price),
}
"""A call belongs to the UTC day on which it was reserved, as in a budget."""

_TOKENS = ("input_tokens", "output_tokens", "cached_tokens", "cache_written_tokens", "reasoning_tokens")


@dataclass(frozen=True, slots=True)
class Spent:
    """by: the value of each dimension asked for. reserved_micros is what open calls may still cost at most.

    estimated_calls: settled by our own count; unpriced_calls: of models whose price nobody knows, counted as 0.
    """

    by: Mapping[Dimension, Any]
    calls: int
    open_calls: int
    estimated_calls: int
    unpriced_calls: int
    cost_micros: int
    reserved_micros: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cache_written_tokens: int
    reasoning_tokens: int


async def spent(
    session: AsyncSession,
    *,
    since: datetime,
    before: datetime,
    by: Sequence[Dimension] = (),
    only: Mapping[Dimension, Any] | None = None,
    limit: int = 1000,
) -> list[Spent]:
    """The dearest groups first, at most `limit`; without dimensions one row with the sum of all, even of nothing."""
    groups: list[ColumnElement[Any]] = [_BY[name].label(f"by_{name}") for name in by]
    open_ = col(ModelCall.state) == "reserved"
    cost = func.coalesce(func.sum(col(ModelCall.cost_micros)), 0)
    sums = (
        func.count(),
        func.count().filter(open_),
        func.count().filter(col(ModelCall.estimated)),
        func.count().filter(col(ModelCall.price) == "unknown"),
        cost,
        func.coalesce(func.sum(col(ModelCall.reserved_micros)).filter(open_), 0),
        *(func.coalesce(func.sum(getattr(ModelCall, name)), 0) for name in _TOKENS),
    )
    within = (col(ModelCall.reserved_at) >= since, col(ModelCall.reserved_at) < before)
    statement = select(*groups, *sums).where(*within)
    for name, value in (only or {}).items():
        statement = statement.where(_BY[name] == value)
    if groups:
        statement = statement.group_by(*groups).order_by(cost.desc(), *groups).limit(limit)
    rows = (await session.exec(statement)).all()
    count = len(groups)
    return [
        Spent(dict(zip(by, row[:count], strict=True)), *(int(number) for number in tuple(row)[count:])) for row in rows
    ]
