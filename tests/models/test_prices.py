"""A call costs what its seller says, to the micro-dollar, by the price that holds; an unknown price says so."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from genai_prices import Usage as Sold
from genai_prices import calc_price
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.turn import Usage
from db.engine import Database
from domain.models import price_store
from domain.models.price_book import PriceBook, Seller
from domain.models.prices import UNKNOWN, Price, Rate, packaged_price
from domain.models.rates import DatedRates, Rates

NOW = datetime.now(UTC)
MODELS = (
    ("openai", "openai", "gpt-4o-mini"),
    ("openai_responses", "openai", "gpt-5"),
    ("anthropic", "anthropic", "claude-sonnet-4-5"),
    ("gemini", "google", "gemini-2.5-pro"),
    ("gemini", "google", "gemini-2.5-flash"),
    ("deepseek", "deepseek", "deepseek-chat"),
)


def flat(**rates: str) -> Price:
    return Price("test", **{name: Rate(Decimal(rate)) for name, rate in rates.items()})  # type: ignore[arg-type]


def packaged(kind: str, model: str) -> Price:
    return packaged_price(kind, None, model, NOW)


@settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(MODELS),
    st.one_of(st.integers(1, 5000), st.integers(190_000, 1_100_000)),
    st.integers(0, 64_000),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_a_call_costs_what_the_packaged_table_says_and_never_more_than_reserved(
    which: tuple[str, str, str], read: int, written: int, cached: float, stored: float
) -> None:
    kind, seller, model = which
    hit = int(read * cached)
    kept = int((read - hit) * stored) if seller == "anthropic" else 0
    counts = {"input_tokens": read, "output_tokens": written, "cache_read_tokens": hit, "cache_write_tokens": kept}
    asked = Sold(
        **{name: count for name, count in counts.items() if count or name in ("input_tokens", "output_tokens")}
    )
    exact = calc_price(asked, model, provider_id=seller, genai_request_timestamp=NOW).total_price * 1_000_000
    price = packaged(kind, model)
    usage = Usage(input_tokens=read, output_tokens=written, cached_tokens=hit, cache_written_tokens=kept)
    assert abs(price.cost_micros(usage) - exact) <= Decimal("0.5")
    assert price.worst_case_micros(read, written) >= price.cost_micros(usage)


def test_a_cost_is_rounded_once_and_halves_go_up() -> None:
    assert flat(input="0.5", output="0").cost_micros(Usage(input_tokens=1)) == 1
    assert flat(input="0.49", output="0").cost_micros(Usage(input_tokens=1)) == 0
    assert flat(input="0.3", output="0.3").cost_micros(Usage(input_tokens=1, output_tokens=1)) == 1, "not 0 + 0"
    assert flat(input="0.01", output="0").worst_case_micros(1, 0) == 1, "what is reserved is rounded up"


def test_parts_that_have_no_rate_of_their_own_cost_as_the_whole_does() -> None:
    usage = Usage(input_tokens=100, output_tokens=50, cached_tokens=30, cache_written_tokens=20, reasoning_tokens=40)
    assert flat(input="2", output="10").cost_micros(usage) == 700
    dear = flat(input="2", output="10", cached="0.2", cache_write="2.5", reasoning="3")
    assert dear.cost_micros(usage) == 50 * 2 + 6 + 50 + 10 * 10 + 40 * 3
    assert dear.cost_micros(Usage()) == 0


def test_a_longer_request_costs_more_for_all_its_tokens() -> None:
    tiered = Price("test", Rate(Decimal(1), ((200, Decimal(2)),)), Rate(Decimal(5), ((200, Decimal(7)),)))
    assert tiered.cost_micros(Usage(input_tokens=200, output_tokens=1)) == 205
    assert tiered.cost_micros(Usage(input_tokens=201, output_tokens=1)) == 409
    assert tiered.worst_case_micros(200, 1) == 407


def test_a_seller_that_asks_for_each_call_is_paid_for_it_once() -> None:
    search = Price("test", Rate(Decimal(1)), Rate(Decimal(1)), a_thousand_calls=Decimal(5))
    assert search.cost_micros(Usage(input_tokens=10)) == 5010
    assert search.cost_micros(Usage()) == 0, "a call that came to nothing"
    assert search.worst_case_micros(10, 0) == 5010


@pytest.mark.parametrize(
    ("kind", "base_url", "model", "source"),
    [
        ("openai", None, "gpt-4o-mini", "genai-prices"),
        ("openai", "http://gateway.test/v1", "gpt-4o-mini", "genai-prices"),
        ("openai", None, "my-own-model", "unknown"),
        ("openai_compatible", "https://api.groq.com/openai/v1", "llama-3.3-70b-versatile", "genai-prices"),
        ("openai_compatible", "http://127.0.0.1:8000/v1", "gpt-4o-mini", "unknown"),
        ("scripted", None, "gpt-4o-mini", "free"),
        ("local", None, "smollm2", "free"),
        ("nobody", None, "gpt-4o-mini", "unknown"),
    ],
)
def test_a_price_goes_by_who_sells_and_what_is_not_known_says_so(
    kind: str, base_url: str | None, model: str, source: str
) -> None:
    price = packaged_price(kind, base_url, model, NOW)
    assert price.source.startswith(source)
    assert price.known == (source != "unknown")


async def set_price(database: Database, org: UUID, rate: str, since: datetime, source: str = "contract") -> None:
    given: dict[str, Any] = Rates(input=Decimal(rate), output=Decimal(rate)).model_dump()
    async with database.session(org) as session:
        await price_store.set_price(
            session, org, given | {"provider": "near", "model": "m", "valid_from": since, "source": source}
        )


def book(database: Database, **more: Any) -> PriceBook:
    return PriceBook(database, lambda _name: Seller("openai_compatible"), **more)


async def test_the_newest_own_price_that_holds_already_comes_before_all_others(database: Database, org: UUID) -> None:
    deployment = [DatedRates(provider="near", model="m", input=Decimal(9), output=Decimal(9))]
    assert (await book(database, deployment=deployment).price(org, "near", "m")).source == "deployment"
    for rate, age in (("1", 30), ("2", 3), ("3", -1)):
        await set_price(database, org, rate, NOW - timedelta(days=age))
    price = await book(database, deployment=deployment).price(org, "near", "m")
    assert (price.source, price.input.base) == (f"organisation {(NOW - timedelta(days=3)).date()}", Decimal(2))
    other = await book(database, deployment=deployment).price(org, "near", "another")
    assert other is UNKNOWN


async def test_a_price_set_again_for_the_same_moment_is_replaced(database: Database, org: UUID) -> None:
    for rate in ("1", "0.000001"):
        await set_price(database, org, rate, NOW, source=f"letter {rate}")
    async with database.session(org) as session:
        (row,) = await price_store.list_prices(session)
    assert (row.source, row.input) == ("letter 0.000001", Decimal("0.000001"))


async def test_what_nobody_knows_costs_what_the_deployment_assumes(database: Database, org: UUID) -> None:
    assumed = book(database, assumed=Rates(input=Decimal(3), output=Decimal(15)))
    price = await assumed.price(org, "near", "m")
    assert (price.source, price.known, price.cost_micros(Usage(input_tokens=1, output_tokens=1))) == (
        "assumed",
        True,
        18,
    )
    assert not (await book(database).price(org, "near", "m")).known


async def test_a_changed_price_holds_once_what_was_read_is_forgotten(database: Database, org: UUID) -> None:
    kept = book(database)
    assert not (await kept.price(org, "near", "m")).known
    await set_price(database, org, "4", NOW - timedelta(days=1))
    assert not (await kept.price(org, "near", "m")).known, "for half a minute"
    kept.forget(org)
    assert (await kept.price(org, "near", "m")).input.base == 4
