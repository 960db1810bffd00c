"""Spend: what calls to models have cost, by whatever is asked. Not for limits on it: see `budgets.py`."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from api.dependencies import Reading, needs
from api.faults import InvalidParameter
from api.responses import errors
from api.texts import KeepableText
from domain.auth.principal import Principal
from domain.models import spend_store
from domain.models.spend_store import Dimension, Spent

router = APIRouter(prefix="/v1/spend", tags=["spending"])

Reader = Annotated[Principal, needs("spend:read")]

_MOST_GROUPS = 1000


class Sums(BaseModel):
    """Millionths of a US dollar and tokens. cached, cache_written and reasoning tokens are parts of the other two.

    open_calls are under way, and may still cost reserved_micros at most. estimated_calls were not counted by their
    provider. unpriced_calls are of models whose price nobody knows: they count as 0.
    """

    model_config = ConfigDict(from_attributes=True)

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


class SpendGroup(Sums):
    """by: the value of each of group_by; null where a call has none."""

    by: dict[str, str | None]


class SpendOut(BaseModel):
    """Calls reserved from `since` up to and without `before`, both UTC days. truncated: only the dearest groups."""

    since: date
    before: date
    total: Sums
    groups: list[SpendGroup]
    truncated: bool


class Only(BaseModel):
    """Filters: all must hold."""

    model_config = ConfigDict(extra="forbid")

    group_by: list[Dimension] = Field(default_factory=list, max_length=4, description="Repeat it for several.")
    since: date | None = Field(default=None, description="First UTC day; this month's first unless given.")
    before: date | None = Field(default=None, description="The UTC day after the last one; tomorrow unless given.")
    agent_id: UUID | None = None
    api_key_id: UUID | None = None
    conversation_id: UUID | None = None
    turn_id: UUID | None = None
    provider: KeepableText | None = Field(default=None, max_length=40)
    model: KeepableText | None = Field(default=None, max_length=120)
    task: KeepableText | None = Field(default=None, max_length=40)
    outcome: KeepableText | None = Field(default=None, max_length=40)


@router.get("", responses=errors())
async def get_spend(_principal: Reader, session: Reading, only: Annotated[Only, Query()]) -> SpendOut:
    """The sum of all calls to models, and its parts; the dearest first."""
    today = datetime.now(UTC).date()
    since = only.since or today.replace(day=1)
    before = only.before or today + timedelta(days=1)
    if before <= since:
        raise InvalidParameter("must be after `since`", parameter="before")
    span: dict[str, Any] = {"since": _midnight(since), "before": _midnight(before), "only": _filters(only)}
    (total,) = await spend_store.spent(session, **span)
    groups: list[Spent] = []
    if only.group_by:
        by = list(dict.fromkeys(only.group_by))
        groups = await spend_store.spent(session, **span, by=by, limit=_MOST_GROUPS + 1)
    return SpendOut(
        since=since,
        before=before,
        total=Sums.model_validate(total),
        groups=[_group(each) for each in groups[:_MOST_GROUPS]],
        truncated=len(groups) > _MOST_GROUPS,
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _filters(only: Only) -> dict[Dimension, Any]:
    given = only.model_dump(exclude={"group_by", "since", "before"}, exclude_none=True)
    return {
        cast("Dimension", name.removesuffix("_id") if name.endswith("_id") else name): given[name] for name in given
    }


def _group(spent: Spent) -> SpendGroup:
    told = {name: None if value is None else str(value) for name, value in spent.by.items()}
    return SpendGroup(by=told, **Sums.model_validate(spent).model_dump())
