"""What one worker finds out about a provider all know: breakers open, half open and close, in Postgres, in turn."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from db.engine import Database
from domain.errors import FailureKind, ProviderFailure, ProviderRejected, ProviderUnavailable
from domain.models.breaker import BreakerRule, Breakers
from domain.models.choice import WELL, Health
from domain.models.health_store import read
from domain.models.limits import Busy, Limits

RULE = BreakerRule(window_seconds=10, failures=3, share=0.5, pause_seconds=0.2, longest_seconds=0.5)
AWAY = ProviderUnavailable("gone")


@pytest.fixture
async def workers(database: Database) -> AsyncIterator[tuple[Breakers, Breakers]]:
    """Two processes' views of the same database."""
    two = Breakers(database, rule=RULE), Breakers(database, rule=RULE)
    yield two
    for each in two:
        await each.close()


@pytest.fixture
def model() -> str:
    """A model that no other test has."""
    return f"m-{uuid4().hex[:12]}"


async def seen(breakers: Breakers, model: str) -> Health:
    await breakers.refresh()
    return breakers.health().get(("acme", model), WELL)


async def fail(breakers: Breakers, model: str, times: int, error: ProviderFailure = AWAY) -> None:
    for _ in range(times):
        await breakers.failed("acme", model, error)


async def test_failures_of_all_workers_open_it_for_all(workers: tuple[Breakers, Breakers], model: str) -> None:
    one, other = workers
    await fail(one, model, 1)
    await fail(other, model, 1)
    assert (await seen(one, model)).state == "closed"
    await fail(one, model, 1)
    assert (await seen(other, model)).state == "open"
    assert (await seen(other, f"{model}-other")).state == "closed", "a breaker is of one model"


async def test_failures_among_many_answers_do_not_open_it(workers: tuple[Breakers, Breakers], model: str) -> None:
    for _ in range(20):
        await workers[0].answered("acme", model)
    await fail(workers[0], model, 4)
    assert (await seen(workers[0], model)).state == "closed"


async def test_after_its_pause_one_call_may_try_and_an_answer_closes_it(
    workers: tuple[Breakers, Breakers], model: str
) -> None:
    one, other = workers
    await fail(one, model, 3)
    assert not await other.may_probe("acme", model), "still open"
    await asyncio.sleep(0.25)
    assert (await seen(other, model)).state == "half_open"
    assert [await one.may_probe("acme", model), await other.may_probe("acme", model)] == [True, False]
    assert (await seen(other, model)).state == "probing"
    await one.answered("acme", model)
    assert (await seen(other, model)).state == "closed"


async def test_a_probe_that_fails_opens_it_again_for_longer(workers: tuple[Breakers, Breakers], model: str) -> None:
    one, other = workers
    await fail(one, model, 3)
    first = await seen(one, model)
    await asyncio.sleep(0.25)
    assert await one.may_probe("acme", model)
    await fail(one, model, 1)
    again = await seen(other, model)
    assert again.state == "open"
    assert again.seconds > first.seconds


async def test_a_probe_that_tells_nothing_lets_the_next_call_try(
    workers: tuple[Breakers, Breakers], model: str
) -> None:
    one, other = workers
    await fail(one, model, 3)
    await asyncio.sleep(0.25)
    await one.refresh()
    assert await one.may_probe("acme", model)
    await one.undecided("acme", model)
    assert await other.may_probe("acme", model)
    await other.refresh()
    await other.failed("acme", model, ProviderRejected("too long", kind="context_overflow"))
    assert await one.may_probe("acme", model), "a fault of the request says nothing about the provider"


async def test_an_answer_of_before_does_not_close_it(workers: tuple[Breakers, Breakers], model: str) -> None:
    await fail(workers[0], model, 3)
    await workers[0].answered("acme", model)
    assert (await seen(workers[1], model)).state == "open"


async def test_retry_after_is_obeyed_at_once_and_longer_than_the_longest_pause(
    workers: tuple[Breakers, Breakers], model: str
) -> None:
    await fail(workers[0], model, 1, ProviderUnavailable("slow down", kind="rate", retry_after=42))
    health = await seen(workers[1], model)
    assert health.state == "open"
    assert 40 < health.seconds <= 43
    assert health.kind == "rate"


@pytest.mark.parametrize(
    ("kind", "opens"), [("auth", True), ("quota", True), ("bad_request", False), ("content_filter", False)]
)
async def test_a_refused_key_opens_it_at_once_and_a_refused_request_never(
    workers: tuple[Breakers, Breakers], model: str, kind: FailureKind, *, opens: bool
) -> None:
    await fail(workers[0], model, 5 if not opens else 1, ProviderRejected("no", kind=kind))
    assert ((await seen(workers[1], model)).state == "open") is opens


async def test_nothing_is_written_while_all_is_well(
    workers: tuple[Breakers, Breakers], database: Database, model: str
) -> None:
    for _ in range(50):
        await workers[0].answered("acme", model)
    assert model not in {row.model for row in await read(database)}


async def test_the_view_of_others_is_read_beside_the_calls(workers: tuple[Breakers, Breakers], model: str) -> None:
    one, other = workers
    await fail(one, model, 3)
    assert other.health() == {}, "the first look returns at once"
    async with asyncio.timeout(5):
        while ("acme", model) not in other.health():
            await asyncio.sleep(0.01)


async def test_a_burst_waits_in_line_and_nobody_overtakes() -> None:
    waits: list[str] = []
    limits = Limits({"acme": 2}, waited=lambda provider, _seconds: waits.append(provider))
    running, most, order = 0, 0, list[int]()

    async def call(number: int) -> None:
        nonlocal running, most
        async with limits.place("acme", 5):
            running, most = running + 1, max(most, running + 1)
            order.append(number)
            await asyncio.sleep(0.005)
            running -= 1

    await asyncio.gather(*(call(number) for number in range(20)))
    assert (most, order, len(waits)) == (2, list(range(20)), 18)


async def test_who_waits_too_long_is_told_so_and_unlimited_providers_never_wait() -> None:
    limits = Limits({"acme": 1})
    async with limits.place("acme", 1), limits.place("other", 1), limits.place("other", 1):
        with pytest.raises(Busy):
            async with limits.place("acme", 0.01):
                pass
    async with limits.place("acme", 0.01):
        pass
