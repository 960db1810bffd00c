"""Every call to a model on the books: room for it is taken before, what it cost is written after, once.

Not for choosing the model (`router.py`) and not for what a token costs (`prices.py`).
"""

from datetime import timedelta
from typing import Protocol
from uuid import UUID

import structlog

from contracts.turn import Usage
from db.engine import Database
from domain.errors import BudgetExceeded
from domain.models import ledger_store
from domain.models.budget import BudgetUse
from domain.models.call import ModelCall, Settled
from domain.models.price_book import PriceBook

_log = structlog.stdlib.get_logger(__name__)


class SpendWatch(Protocol):
    """What is told while money is spent: counters of a process."""

    def call_settled(self, call: ModelCall, settled: Settled, *, priced: bool) -> None: ...

    def budget_warned(self, use: BudgetUse) -> None: ...

    def budget_refused(self, use: BudgetUse) -> None: ...


class Ledger:
    """Each method is one statement and one transaction, and safe to repeat."""

    def __init__(self, database: Database, prices: PriceBook, watch: SpendWatch | None = None) -> None:
        self._database = database
        self._watch = watch
        self.prices = prices

    async def reserve(self, call: ModelCall, worst_case_micros: int, *, worst_usage: Usage | None = None) -> None:
        """Take room in every budget that the call falls under, before it is made.

        worst_case_micros: more than the call can cost (`Price.worst_case_micros`); worst_usage: the tokens of that.
        Should the worker die, the call counts as these. Raises BudgetExceeded; nothing is reserved then.
        """
        price = await self.prices.price(call.place.org_id, call.provider, call.model)
        refused = await ledger_store.reserve(
            self._database, call, price.source, worst_case_micros, worst_usage or Usage()
        )
        if refused is None:
            return
        if self._watch is not None:
            self._watch.budget_refused(refused)
        raise BudgetExceeded(f"this call could pass the {refused.told} of {refused.limit_micros} micro-dollars")

    async def settle(self, call: ModelCall, settled: Settled) -> None:
        """Write down how a reserved call ended and what it cost, and give back what it did not need.

        The first settlement stays, except that a true one replaces "lost". Raises LookupError for a call that was
        never reserved: that is a fault of the caller. cost_micros comes from `prices`.
        """
        warned = await ledger_store.settle(self._database, call, settled)
        if warned is None:  # settled before
            return
        if self._watch is not None:
            price = await self.prices.price(call.place.org_id, call.provider, call.model)
            self._watch.call_settled(call, settled, priced=price.known)
        for use in warned:
            self._warn(call.place.org_id, use)

    async def settle_lost(self, org_id: UUID, *, ended: timedelta, running: timedelta, most: int = 1000) -> int:
        """Settle calls that nobody settles any more as "lost", at all they could have cost. How many there were.

        Those of turns that ended are lost when reserved for longer than `ended`, others than `running`. Should one
        be settled by its worker after all, the truth replaces the estimate.
        """
        async with self._database.transaction(org_id) as connection:
            lost = await ledger_store.open_calls(connection, ended=ended, running=running, limit=most)
        for each in lost:
            await self.settle(each.call, Settled("lost", each.usage, each.cost_micros, 0.0, estimated=True))
        return len(lost)

    def _warn(self, org_id: UUID, use: BudgetUse) -> None:
        _log.warning(
            "a budget is nearly spent",
            org_id=str(org_id),
            budget=str(use.budget_id),
            spent_micros=use.spent_micros,
            limit_micros=use.limit_micros,
        )
        if self._watch is not None:
            self._watch.budget_warned(use)
