"""Rows of calls to models and the counters of budgets, one statement each. Not for sums of them: `spend_store.py`.

The SQL functions are in db/migrations/versions/0009_spending.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from contracts.turn import Usage
from db.engine import Connection, Database
from domain.models.budget import BudgetUse
from domain.models.call import CallPlace, ModelCall, Settled

_RESERVE = """SELECT budget_id, scope, period, limit_micros, spent_micros, reserved_micros
FROM reserve_call($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"""
_SETTLE = """SELECT state, warned
FROM settle_call($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"""


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A call that is reserved and not settled, and what it was reserved for at most."""

    call: ModelCall
    usage: Usage
    cost_micros: int


async def reserve(database: Database, call: ModelCall, price: str, micros: int, most: Usage) -> BudgetUse | None:
    """The budget that has no room for the call; None when it is reserved, now or before."""
    place = call.place
    row = await database.pool.fetchrow(
        _RESERVE,
        place.org_id,
        place.key,
        call.number,
        place.task,
        place.turn_id,
        place.conversation_id,
        place.agent_id,
        place.api_key_id,
        call.provider,
        call.model,
        call.attempt,
        price,
        micros,
        most.input_tokens,
        most.output_tokens,
    )
    return None if row is None else BudgetUse(**dict(row))


async def settle(database: Database, call: ModelCall, settled: Settled) -> list[BudgetUse] | None:
    """Budgets of which a warning is due because of this call; None when it was settled before. Raises LookupError."""
    usage = settled.usage
    row = await database.pool.fetchrow(
        _SETTLE,
        call.place.org_id,
        call.place.key,
        call.number,
        settled.outcome,
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_tokens,
        usage.cache_written_tokens,
        usage.reasoning_tokens,
        settled.cost_micros,
        settled.latency_ms,
        settled.first_token_ms,
        settled.estimated,
        settled.detail,
        settled.ended_at,
    )
    assert row is not None, "the function always says what it found"
    if row["state"] == "unknown":
        raise LookupError(f"the call {call.key} was never reserved")
    return None if row["state"] == "repeated" else [_use(each) for each in row["warned"] or ()]


async def open_calls(connection: Connection, *, ended: timedelta, running: timedelta, limit: int) -> Sequence[OpenCall]:
    """Calls reserved for longer than `ended` whose turn has ended, and all that are for longer than `running`."""
    rows = await connection.fetch(
        """SELECT c.* FROM model_calls c LEFT JOIN turns t ON t.id = c.turn_id
           WHERE c.state = 'reserved' AND c.reserved_at < clock_timestamp()
               - CASE WHEN t.state <> 'running' THEN $1::interval ELSE $2::interval END
           ORDER BY c.reserved_at LIMIT $3""",
        ended,
        running,
        limit,
    )
    return [_open(row) for row in rows]


def _open(row: Any) -> OpenCall:
    place = CallPlace(
        org_id=row["org_id"],
        key=row["place"],
        task=row["task"],
        turn_id=row["turn_id"],
        conversation_id=row["conversation_id"],
        agent_id=row["agent_id"],
        api_key_id=row["api_key_id"],
    )
    call = ModelCall(place, row["number"], row["provider"], row["model"], row["attempt"])
    usage = Usage(input_tokens=row["reserved_input_tokens"], output_tokens=row["reserved_output_tokens"])
    return OpenCall(call, usage, row["reserved_micros"])


def _use(told: dict[str, Any]) -> BudgetUse:
    return BudgetUse(**{**told, "budget_id": UUID(told["budget_id"])})
