"""What a model's tokens cost, exactly. Not for which price holds for whom: that is `price_book.py`.

A rate of n US dollars for a million tokens is n micro-dollars for one, so a cost in micro-dollars is tokens times
rates. It is summed exactly and rounded once a call, halves up; every sum of calls is a sum of these whole numbers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from functools import lru_cache
from importlib.metadata import version

from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ModelPrice, TieredPrices

from contracts.turn import Usage

_PACKAGE = f"genai-prices {version('genai-prices')}"
_ZERO = Decimal(0)
_ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Rate:
    """US dollars for a million tokens. tiers: above so many tokens of input, all tokens cost so much; ascending."""

    base: Decimal
    tiers: tuple[tuple[int, Decimal], ...] = ()

    def at(self, input_tokens: int) -> Decimal:
        rate = self.base
        for above, dearer in self.tiers:
            if input_tokens > above:
                rate = dearer
        return rate

    @property
    def highest(self) -> Decimal:
        return max(self.base, *(rate for _, rate in self.tiers)) if self.tiers else self.base


@dataclass(frozen=True, slots=True)
class Price:
    """What one model costs. source is who says so; None in a rate: charged as other input or output.

    a_thousand_calls: US dollars beside the tokens, as a provider that searches asks for.
    """

    source: str
    input: Rate
    output: Rate
    cached: Rate | None = None
    cache_write: Rate | None = None
    reasoning: Rate | None = None
    a_thousand_calls: Decimal = _ZERO

    @property
    def known(self) -> bool:
        return self.source != "unknown"

    def cost_micros(self, usage: Usage) -> int:
        """Millionths of a US dollar of one call, to the nearest, halves up; 0 when no token was used."""
        if not usage.input_tokens and not usage.output_tokens:
            return 0
        read = usage.input_tokens
        plain = max(0, read - usage.cached_tokens - usage.cache_written_tokens)
        spoken = max(0, usage.output_tokens - usage.reasoning_tokens)
        exact = (
            plain * self.input.at(read)
            + usage.cached_tokens * (self.cached or self.input).at(read)
            + usage.cache_written_tokens * (self.cache_write or self.input).at(read)
            + spoken * self.output.at(read)
            + usage.reasoning_tokens * (self.reasoning or self.output).at(read)
            + self.a_thousand_calls * 1000
        )
        return int(exact.quantize(_ONE, ROUND_HALF_UP))

    def worst_case_micros(self, input_tokens: int, output_tokens: int) -> int:
        """No call that reads and writes at most so many tokens costs more; whole, rounded up."""
        dearest_in = max(rate.highest for rate in (self.input, self.cached, self.cache_write) if rate)
        dearest_out = max(rate.highest for rate in (self.output, self.reasoning) if rate)
        exact = input_tokens * dearest_in + output_tokens * dearest_out + self.a_thousand_calls * 1000
        return int(exact.quantize(_ONE, ROUND_CEILING))


UNKNOWN = Price("unknown", Rate(_ZERO), Rate(_ZERO))
"""Nobody says what the model costs: its calls count as 0, and are told apart from those that are free."""

FREE = Price("free", Rate(_ZERO), Rate(_ZERO))

SELLERS = {
    "openai": "openai",
    "openai_responses": "openai",
    "anthropic": "anthropic",
    "gemini": "google",
    "deepseek": "deepseek",
    "perplexity": "perplexity",
    "extractive": "",
    "scripted": "",
    "local": "",
}
"""Kinds of providers to the names of `genai-prices`; "" runs here and costs nothing. Others go by their address."""


def packaged_price(kind: str, base_url: str | None, model: str, at: datetime) -> Price:
    """The price in the installed package at a time; UNKNOWN where it has none. Nothing is downloaded.

    A `base_url` of ones own does not change the price of a kind: most are gateways to the seller.
    """
    seller = SELLERS.get(kind)
    if seller == "":
        return FREE
    if seller is None and base_url is None:
        return UNKNOWN
    find = _prices_of(seller, None if seller else base_url, model)
    return UNKNOWN if find is None else _converted(find(at))


@lru_cache(maxsize=1024)
def _prices_of(seller: str | None, base_url: str | None, model: str) -> Callable[[datetime], ModelPrice] | None:
    # Its own `calc_price` takes 0.28 ms a call, a thousand times the arithmetic; finding the model is once.
    try:
        _, found = get_snapshot().find_provider_model(model, None, seller, base_url)
    except LookupError:
        return None
    return found.get_prices


def _converted(price: ModelPrice) -> Price:
    spoken, read = _rate(price.output_mtok), _rate(price.input_mtok)
    if read is None and spoken is None:
        return UNKNOWN
    by_call = price.requests_kcount
    return Price(
        source=_PACKAGE,
        input=read or Rate(_ZERO),
        output=spoken or Rate(_ZERO),
        cached=_rate(price.cache_read_mtok),
        cache_write=_rate(price.cache_write_mtok),
        reasoning=_rate(price.output_reasoning_mtok),
        a_thousand_calls=by_call if isinstance(by_call, Decimal) else _ZERO,
    )


def _rate(given: Decimal | TieredPrices | None) -> Rate | None:
    if isinstance(given, TieredPrices):
        return Rate(given.base, tuple((tier.start, tier.price) for tier in given.tiers))
    return None if given is None else Rate(given)
