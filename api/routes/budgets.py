"""Budgets: how much an organisation, an agent or an API key may spend in a day or a month, and what happens then."""

from datetime import date, datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field, model_validator

from api.dependencies import Reading, needs
from api.mutation import MutationRoute, Work
from api.pagination import Cursor, Limit, Page, cursor_of, page_after, page_of
from api.responses import errors
from api.texts import RequestModel
from domain.agents import store as agents
from domain.auth import store as keys
from domain.auth.principal import Principal
from domain.models import budget_store
from domain.models.budget import Period, Scope
from domain.models.budget_store import BudgetRow

router = APIRouter(prefix="/v1/budgets", tags=["spending"])
changes = APIRouter(prefix="/v1/budgets", tags=["spending"], route_class=MutationRoute)

Reader = Annotated[Principal, needs("spend:read")]
Writer = Annotated[Principal, needs("spend:write")]
Micros = Annotated[int, Field(ge=0, le=10**15, description="Millionths of a US dollar.", examples=[5_000_000])]
WarnPercent = Annotated[int, Field(ge=1, le=100)]


class NewBudget(RequestModel):
    """scope_id: the agent or the key; none for the organisation. stops false: it only warns."""

    scope: Scope
    scope_id: UUID | None = None
    period: Period
    limit_micros: Micros
    warn_percent: WarnPercent | None = 80
    stops: bool = True

    @model_validator(mode="after")
    def _names_whose_it_is(self) -> Self:
        if (self.scope == "organisation") != (self.scope_id is None):
            raise ValueError("scope_id names the agent or the API key, and is left out for the organisation")
        return self


class BudgetChange(RequestModel):
    """What is left out stays; warn_percent null: no warning."""

    limit_micros: Micros | None = None
    warn_percent: WarnPercent | None = None
    stops: bool | None = None


class BudgetOut(BaseModel):
    """The amounts are those of the day or month (UTC) that began on starts_on, null before its first call.

    reserved_micros: what calls under way may cost at most. refused: calls that were not made because of it.
    state: exhausted when nothing is left, warned from warn_percent on.
    """

    id: UUID
    scope: Scope
    scope_id: UUID | None
    period: Period
    limit_micros: int
    warn_percent: int | None
    stops: bool
    state: Literal["open", "warned", "exhausted"]
    starts_on: date | None
    spent_micros: int
    reserved_micros: int
    refused: int
    warned_at: datetime | None
    created_at: datetime
    updated_at: datetime


@changes.post("", status_code=201, responses=errors(400, 404, 409, 413))
async def create_budget(principal: Writer, work: Work, new: NewBudget, response: Response) -> BudgetOut:
    """What was spent in its day or month before counts too. One for each scope and period."""
    if new.scope_id is not None:
        await (agents.get_agent if new.scope == "agent" else keys.get_key)(work.session, new.scope_id)
    row = await budget_store.create_budget(work.session, principal.org_id, new.model_dump())
    response.headers["Location"] = f"/v1/budgets/{row.budget.id}"
    return _show(row)


@router.get("", responses=errors())
async def list_budgets(
    _principal: Reader, session: Reading, cursor: Cursor = None, limit: Limit = 50
) -> Page[BudgetOut]:
    """Newest first, with what is used of each."""
    rows = await budget_store.list_budgets(session, after=page_after(cursor), limit=limit + 1)
    return page_of(rows, limit, _show, lambda row: cursor_of(row.budget.created_at, row.budget.id))


@router.get("/{budget_id}", responses=errors(404))
async def get_budget(_principal: Reader, session: Reading, budget_id: UUID) -> BudgetOut:
    return _show(await budget_store.get_budget(session, budget_id))


@changes.patch("/{budget_id}", responses=errors(400, 404, 413))
async def update_budget(_principal: Writer, work: Work, budget_id: UUID, change: BudgetChange) -> BudgetOut:
    """Holds from the next call on, in every process."""
    given = change.model_dump(exclude_unset=True)
    changed = {name: value for name, value in given.items() if value is not None or name == "warn_percent"}
    return _show(await budget_store.update_budget(work.session, budget_id, changed))


@changes.delete("/{budget_id}", status_code=204, responses=errors(404))
async def delete_budget(_principal: Writer, work: Work, budget_id: UUID) -> None:
    """What was spent stays in the ledger."""
    await budget_store.delete_budget(work.session, budget_id)


def _show(row: BudgetRow) -> BudgetOut:
    budget, used = row.budget, row.used
    spent = used.spent_micros if used else 0
    return BudgetOut(
        **budget.model_dump(exclude={"org_id"}),
        state="exhausted" if spent >= budget.limit_micros else "warned" if used and used.warned_at else "open",
        starts_on=used.starts_on if used else None,
        spent_micros=spent,
        reserved_micros=used.reserved_micros if used else 0,
        refused=used.refused if used else 0,
        warned_at=used.warned_at if used else None,
    )
