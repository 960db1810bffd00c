"""A limit on spending: whose calls it counts, over what time, and what happens at it. Not for its rows."""

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

Scope = Literal["organisation", "agent", "api_key"]
Period = Literal["day", "month"]
"""Of UTC: every worker and every reader agrees when it begins."""


@dataclass(frozen=True, slots=True)
class BudgetUse:
    """A budget and how much of its current period is used. reserved_micros: of calls that are under way."""

    budget_id: UUID
    scope: Scope
    period: Period
    limit_micros: int
    spent_micros: int
    reserved_micros: int

    @property
    def told(self) -> str:
        """For the person who reads the refusal: no ids."""
        times = {"day": "daily", "month": "monthly"}
        owners = {"organisation": "the organisation", "agent": "this agent", "api_key": "this API key"}
        return f"{times[self.period]} budget of {owners[self.scope]}"
