"""Which price holds for an organisation's call to a model. Not for the arithmetic: that is `prices.py`.

First the organisation's own prices, then the deployment's, then those of the package, then what the deployment
assumes of unknown models; the newest that holds already. So every price has a date and a source.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from db.engine import Database
from domain.models import price_store
from domain.models.prices import Price, packaged_price
from domain.models.rates import DatedRates, Rates

_FRESH_SECONDS = 30.0
"""A changed price holds everywhere within this; looking costs one short query an organisation."""


@dataclass(frozen=True, slots=True)
class Seller:
    """What a named provider of this deployment is: its kind and the address that was set for it."""

    kind: str
    base_url: str | None = None


class PriceBook:
    def __init__(
        self,
        database: Database,
        sellers: Callable[[str], Seller],
        *,
        deployment: Sequence[DatedRates] = (),
        assumed: Rates | None = None,
    ) -> None:
        """sellers: a provider by its name. assumed: what a model without a known price is taken to cost."""
        self._database = database
        self._sellers = sellers
        self._deployment = tuple(deployment)
        self._assumed = assumed.price("assumed") if assumed else None
        self._own: dict[UUID, tuple[float, Sequence[DatedRates]]] = {}
        self._kept: dict[tuple[str, str], tuple[float, Price]] = {}

    async def price(self, org_id: UUID, provider: str, model: str) -> Price:
        """What a call costs now. Never raises for a model that nobody knows: its price is not `known`."""
        return _own(await self._of_org(org_id), provider, model, "organisation") or self._shared(provider, model)

    def forget(self, org_id: UUID) -> None:
        """Look at the organisation's prices anew: they were changed here."""
        self._own.pop(org_id, None)

    async def _of_org(self, org_id: UUID) -> Sequence[DatedRates]:
        now = time.monotonic()
        known = self._own.get(org_id)
        if known is not None and now - known[0] < _FRESH_SECONDS:
            return known[1]
        async with self._database.transaction(org_id) as connection:
            rows = [DatedRates.model_validate(row) for row in await price_store.all_rates(connection)]
        self._own[org_id] = (now, rows)
        return rows

    def _shared(self, provider: str, model: str) -> Price:
        now = time.monotonic()
        known = self._kept.get((provider, model))
        if known is not None and now - known[0] < _FRESH_SECONDS:
            return known[1]
        price = _own(self._deployment, provider, model, "deployment") or self._packaged(provider, model)
        self._kept[provider, model] = (now, price)
        return price

    def _packaged(self, provider: str, model: str) -> Price:
        seller = self._sellers(provider)
        price = packaged_price(seller.kind, seller.base_url, model, datetime.now(UTC))
        return price if price.known or self._assumed is None else self._assumed


def _own(rates: Sequence[DatedRates], provider: str, model: str, source: str) -> Price | None:
    now = datetime.now(UTC)
    holding = [
        each
        for each in rates
        if each.provider == provider and each.model == model and (each.valid_from is None or each.valid_from <= now)
    ]
    if not holding:
        return None
    best = max(holding, key=lambda each: each.valid_from or datetime.min.replace(tzinfo=UTC))
    dated = f" {best.valid_from.date().isoformat()}" if best.valid_from else ""
    return best.price(f"{source}{dated}")
