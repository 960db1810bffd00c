"""Prices as a person gives them: in a setting, a request, a row. Not for choosing among them: `price_book.py`."""

from datetime import datetime
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

from domain.models.prices import Price, Rate


class Rates(BaseModel):
    """US dollars for a million tokens; cached_input and cache_write as `input` where they are not given."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: Decimal = Field(ge=0, max_digits=14, decimal_places=6)
    output: Decimal = Field(ge=0, max_digits=14, decimal_places=6)
    cached_input: Decimal | None = Field(default=None, ge=0, max_digits=14, decimal_places=6)
    cache_write: Decimal | None = Field(default=None, ge=0, max_digits=14, decimal_places=6)

    def price(self, source: str) -> Price:
        def rate(given: Decimal | None) -> Rate | None:
            return None if given is None else Rate(given)

        return Price(source, Rate(self.input), Rate(self.output), rate(self.cached_input), rate(self.cache_write))


class DatedRates(Rates):
    """One entry of EVERTURN_MODEL_PRICES. valid_from None: always held."""

    provider: str = Field(min_length=1, max_length=40)
    model: str = Field(min_length=1, max_length=120)
    valid_from: datetime | None = None
