"""Rows of budgets, and what is used of them. Not for counting calls: the ledger does that while they come and go.

Callers own the transaction; row-level security picks the tenant.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, and_, case, delete, func, true, tuple_
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.tables.columns import now
from db.tables.ledgers import ModelCall
from db.tables.spending import Budget, BudgetPeriod
from domain.errors import Conflict, NotFound

Cursor = tuple[datetime, UUID]


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """used is that of the day or month now, None while nothing was called in it."""

    budget: Budget
    used: BudgetPeriod | None


async def create_budget(session: AsyncSession, org_id: UUID, given: Mapping[str, Any]) -> BudgetRow:
    """Counts what its period has cost before it was made. Raises Conflict when there is one of its kind.

    Waits for the calls that are being reserved or settled, and they wait for it, so that each is counted once.
    """
    await session.exec(select(func.pg_advisory_xact_lock(func.budgets_lock(org_id))))
    budget = Budget(id=uuid4(), org_id=org_id, **given)
    session.add(budget)
    try:
        await session.flush()
    except IntegrityError as error:
        raise Conflict("there is a budget of this scope and period already") from error
    starts_on = (await session.exec(select(func.period_start(budget.period, now())))).one()
    spent, reserved = await _counted(session, budget, starts_on)
    session.add(
        BudgetPeriod(
            budget_id=budget.id, starts_on=starts_on, org_id=org_id, spent_micros=spent, reserved_micros=reserved
        )
    )
    await session.flush()
    return await get_budget(session, budget.id)


async def _counted(session: AsyncSession, budget: Budget, starts_on: object) -> tuple[int, int]:
    """(spent, reserved) of the calls of a period, from the calls themselves."""
    open_ = col(ModelCall.state) == "reserved"
    spent = func.coalesce(func.sum(case((open_, 0), else_=col(ModelCall.cost_micros))), 0)
    reserved = func.coalesce(func.sum(case((open_, col(ModelCall.reserved_micros)), else_=0)), 0)
    mine: ColumnElement[bool] = true()
    if budget.scope == "agent":
        mine = col(ModelCall.agent_id) == budget.scope_id
    elif budget.scope == "api_key":
        mine = col(ModelCall.api_key_id) == budget.scope_id
    within = func.period_start(budget.period, col(ModelCall.reserved_at)) == starts_on
    row = (await session.exec(select(spent, reserved).where(mine, within))).one()
    return int(row[0]), int(row[1])


async def list_budgets(session: AsyncSession, *, after: Cursor | None = None, limit: int = 50) -> Sequence[BudgetRow]:
    """Newest first, at most `limit`; `after` is the cursor of the last one seen."""
    created_at, row_id = col(Budget.created_at), col(Budget.id)
    statement = select(Budget, BudgetPeriod).outerjoin(BudgetPeriod, _now())
    if after is not None:
        statement = statement.where(tuple_(created_at, row_id) < after)
    found = await session.exec(statement.order_by(created_at.desc(), row_id.desc()).limit(limit))
    return [BudgetRow(budget, used) for budget, used in found.all()]


async def get_budget(session: AsyncSession, budget_id: UUID) -> BudgetRow:
    """Raises NotFound."""
    statement = select(Budget, BudgetPeriod).outerjoin(BudgetPeriod, _now()).where(col(Budget.id) == budget_id)
    found = (await session.exec(statement)).first()
    if found is None:
        raise NotFound("no such budget")
    return BudgetRow(found[0], found[1])


def _now() -> ColumnElement[bool]:
    starts_on = func.period_start(col(Budget.period), func.now())
    return and_(col(BudgetPeriod.budget_id) == col(Budget.id), col(BudgetPeriod.starts_on) == starts_on)


async def update_budget(session: AsyncSession, budget_id: UUID, changes: Mapping[str, Any]) -> BudgetRow:
    """A warning may come again once the change has put it off. Raises NotFound."""
    row = await get_budget(session, budget_id)
    budget, used = row.budget, row.used
    for name, value in changes.items():
        setattr(budget, name, value)
    budget.updated_at = now()
    if used is not None and (
        budget.warn_percent is None or used.spent_micros * 100 < budget.limit_micros * budget.warn_percent
    ):
        used.warned_at = None
    await session.flush()
    return row


async def delete_budget(session: AsyncSession, budget_id: UUID) -> None:
    """What was spent stays in the ledger. Raises NotFound."""
    gone = await session.exec(delete(Budget).where(col(Budget.id) == budget_id).returning(col(Budget.id)))
    if gone.first() is None:
        raise NotFound("no such budget")
