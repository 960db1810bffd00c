"""Every call is on the books once, whatever is repeated or dies; a budget that stops lets nothing past its limit."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.turn import Usage
from db.engine import Database
from db.tables.columns import now
from domain.errors import BudgetExceeded, Conflict
from domain.models import budget_store, ledger_store, spend_store
from domain.models.budget import BudgetUse
from domain.models.call import CallOutcome, CallPlace, ModelCall, Settled
from domain.models.ledger import Ledger
from domain.models.price_book import PriceBook, Seller

AGENT, KEY = uuid4(), uuid4()


class Watch:
    """What a process counts."""

    def __init__(self) -> None:
        self.settled: list[str] = []
        self.warned: list[BudgetUse] = []
        self.refused: list[BudgetUse] = []

    def call_settled(self, call: ModelCall, settled: Settled, *, priced: bool) -> None:
        self.settled.append(call.key)

    def budget_warned(self, use: BudgetUse) -> None:
        self.warned.append(use)

    def budget_refused(self, use: BudgetUse) -> None:
        self.refused.append(use)


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def ledger(database: Database, watch: Watch) -> Ledger:
    return Ledger(database, PriceBook(database, Seller), watch)


def call(org: UUID, key: str = "step", number: int = 1, *, agent: UUID | None = AGENT) -> ModelCall:
    place = CallPlace(org, key, "reply", agent_id=agent, api_key_id=KEY)
    return ModelCall(place, number, "openai", "gpt-4o-mini")


def answered(cost: int, outcome: CallOutcome = "answered") -> Settled:
    usage = Usage(input_tokens=cost * 2, output_tokens=cost, cached_tokens=cost // 2)
    return Settled(outcome, usage, cost, latency_ms=12.5, first_token_ms=3.5)


async def limit(database: Database, org: UUID, micros: int, **given: Any) -> UUID:
    terms = {"scope": "organisation", "scope_id": None, "period": "day", "limit_micros": micros} | given
    async with database.session(org) as session:
        return (await budget_store.create_budget(session, org, terms)).budget.id


async def used(database: Database, org: UUID, budget: UUID) -> tuple[int, int]:
    async with database.session(org) as session:
        row = await budget_store.get_budget(session, budget)
    assert row.used is not None
    return row.used.spent_micros, row.used.reserved_micros


async def total(database: Database, org: UUID) -> spend_store.Spent:
    async with database.session(org) as session:
        (sum_,) = await spend_store.spent(session, since=now() - timedelta(days=1), before=now() + timedelta(minutes=1))
    return sum_


async def test_a_call_is_written_down_once_however_often_it_is_told(
    ledger: Ledger, database: Database, org: UUID, watch: Watch
) -> None:
    for _ in range(3):
        await ledger.reserve(call(org), 500)
    for _ in range(3):
        await ledger.settle(call(org), answered(120))
    await ledger.settle(call(org), answered(999, "rate"))
    await ledger.reserve(call(org), 500)
    spent = await total(database, org)
    assert (spent.calls, spent.open_calls, spent.cost_micros) == (1, 0, 120)
    assert (spent.input_tokens, spent.output_tokens, spent.cached_tokens) == (240, 120, 60)
    assert watch.settled == ["step.1"]


async def test_a_row_says_everything_about_its_call(ledger: Ledger, database: Database, org: UUID) -> None:
    turn, conversation = uuid4(), uuid4()
    place = CallPlace(org, f"{turn}.2", "judge", turn, conversation, AGENT, KEY)
    made = ModelCall(place, 3, "openai", "gpt-4o-mini", attempt=2)
    await ledger.reserve(made, 77, worst_usage=Usage(input_tokens=10, output_tokens=20))
    usage = Usage(input_tokens=9, output_tokens=8, cached_tokens=4, cache_written_tokens=3, reasoning_tokens=2)
    await ledger.settle(made, Settled("timeout", usage, 5, 1.5, 0.5, estimated=True, detail="late"))
    async with database.transaction(org) as connection:
        row = dict(await connection.fetchrow("SELECT * FROM model_calls") or {})
    assert {key: value for key, value in row.items() if not key.endswith("_at")} == {
        "org_id": org, "place": f"{turn}.2", "number": 3, "task": "judge", "turn_id": turn, "agent_id": AGENT,
        "conversation_id": conversation, "api_key_id": KEY, "state": "settled", "outcome": "timeout", "attempt": 2,
        "provider": "openai", "model": "gpt-4o-mini", "price": "genai-prices 0.2.3", "reserved_micros": 77,
        "reserved_input_tokens": 10, "reserved_output_tokens": 20, "input_tokens": 9, "output_tokens": 8,
        "cached_tokens": 4, "cache_written_tokens": 3, "reasoning_tokens": 2, "cost_micros": 5, "latency_ms": 1.5,
        "first_token_ms": 0.5, "estimated": True, "detail": "late",
    }  # fmt: skip


async def test_a_call_that_was_never_reserved_is_a_fault_of_the_caller(ledger: Ledger, org: UUID) -> None:
    with pytest.raises(LookupError):
        await ledger.settle(call(org), answered(1))


async def test_a_budget_refuses_what_could_pass_it_and_reserves_nothing_then(
    ledger: Ledger, database: Database, org: UUID, watch: Watch
) -> None:
    budget = await limit(database, org, 1000)
    await ledger.reserve(call(org, "a"), 600)
    with pytest.raises(BudgetExceeded, match="daily budget of the organisation"):
        await ledger.reserve(call(org, "b"), 401)
    assert await used(database, org, budget) == (0, 600)
    assert (await total(database, org)).calls == 1
    await ledger.settle(call(org, "a"), answered(50))
    await ledger.reserve(call(org, "b"), 950)
    assert await used(database, org, budget) == (50, 950)
    assert [use.budget_id for use in watch.refused] == [budget]


async def test_of_many_at_once_no_more_are_let_through_than_fit(ledger: Ledger, database: Database, org: UUID) -> None:
    budget = await limit(database, org, 1000)

    async def ask(number: int) -> bool:
        try:
            await ledger.reserve(call(org, f"step-{number}"), 100)
        except BudgetExceeded:
            return False
        return True

    let = await asyncio.gather(*(ask(number) for number in range(30)))
    assert let.count(True) == 10
    assert await used(database, org, budget) == (0, 1000)


async def test_a_budget_counts_only_the_agent_or_the_key_it_is_for(
    ledger: Ledger, database: Database, org: UUID
) -> None:
    other = uuid4()
    mine = await limit(database, org, 100, scope="agent", scope_id=AGENT)
    keys = await limit(database, org, 10_000, scope="api_key", scope_id=KEY, period="month")
    await ledger.reserve(call(org, "other", agent=other), 5000)
    await ledger.reserve(call(org, "mine"), 90)
    with pytest.raises(BudgetExceeded, match="this agent"):
        await ledger.reserve(call(org, "more"), 11)
    assert await used(database, org, mine) == (0, 90)
    assert await used(database, org, keys) == (0, 5090)


async def test_a_budget_that_does_not_stop_only_warns_and_warns_once(
    ledger: Ledger, database: Database, org: UUID, watch: Watch
) -> None:
    budget = await limit(database, org, 100, stops=False, warn_percent=80)
    for number, cost in enumerate((79, 1, 500)):
        await ledger.reserve(call(org, str(number)), cost)
        await ledger.settle(call(org, str(number)), answered(cost))
    assert [(use.budget_id, use.spent_micros) for use in watch.warned] == [(budget, 80)]
    assert await used(database, org, budget) == (580, 0)


async def test_a_new_budget_begins_with_what_its_period_has_cost_already(
    ledger: Ledger, database: Database, org: UUID
) -> None:
    await ledger.reserve(call(org, "open"), 70)
    await ledger.reserve(call(org, "done"), 70)
    await ledger.settle(call(org, "done"), answered(30))
    budget = await limit(database, org, 1000)
    assert await used(database, org, budget) == (30, 70)
    await ledger.settle(call(org, "open"), answered(5))
    assert await used(database, org, budget) == (35, 0)
    with pytest.raises(Conflict):
        await limit(database, org, 5)


async def test_a_budget_made_among_running_calls_counts_each_of_them_once(
    ledger: Ledger, database: Database, org: UUID
) -> None:
    async def one(number: int) -> None:
        await ledger.reserve(call(org, str(number)), 10)
        await asyncio.sleep(0)
        await ledger.settle(call(org, str(number)), answered(number))

    running = [asyncio.create_task(one(number)) for number in range(60)]
    budget = await limit(database, org, 10**13)
    await asyncio.gather(*running)
    assert await used(database, org, budget) == (sum(range(60)), 0)


async def test_a_lost_call_counts_as_all_it_could_have_cost_until_the_truth_is_known(
    ledger: Ledger, database: Database, org: UUID
) -> None:
    budget = await limit(database, org, 1000)
    await ledger.reserve(call(org), 300, worst_usage=Usage(input_tokens=100, output_tokens=50))
    assert await ledger.settle_lost(org, ended=timedelta(0), running=timedelta(hours=1)) == 0, "it may still run"
    assert await ledger.settle_lost(org, ended=timedelta(0), running=timedelta(0)) == 1
    assert await ledger.settle_lost(org, ended=timedelta(0), running=timedelta(0)) == 0
    lost = await total(database, org)
    assert (lost.cost_micros, lost.input_tokens, lost.output_tokens, lost.estimated_calls) == (300, 100, 50, 1)
    assert await used(database, org, budget) == (300, 0)
    await ledger.settle(call(org), answered(40))
    true = await total(database, org)
    assert (true.cost_micros, true.estimated_calls) == (40, 0)
    assert await used(database, org, budget) == (40, 0)


async def test_another_organisation_neither_sees_nor_pays(ledger: Ledger, database: Database, org: UUID) -> None:
    await ledger.reserve(call(org), 10)
    stranger = replace(call(org), place=replace(call(org).place, org_id=uuid4()))
    with pytest.raises(LookupError):
        await ledger.settle(stranger, answered(1))
    assert (await total(database, org)).open_calls == 1


STEPS = st.lists(
    st.tuples(st.sampled_from(["reserve", "settle", "fail", "lose", "budget"]), st.integers(0, 3), st.integers(0, 400)),
    min_size=1,
    max_size=14,
)


async def test_any_order_of_repeats_crashes_and_late_truths_settles_once(
    ledger: Ledger, database: Database, org: UUID
) -> None:
    """Drawn first, run after: hypothesis and a running loop do not mix."""
    stories: list[list[tuple[str, int, int]]] = []

    @settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(STEPS)
    def collect(steps: list[tuple[str, int, int]]) -> None:
        stories.append(steps)

    collect()
    await asyncio.gather(*(told(ledger, database, org, f"story-{n}", steps) for n, steps in enumerate(stories)))


async def told(ledger: Ledger, database: Database, org: UUID, name: str, steps: list[tuple[str, int, int]]) -> None:
    """An agent of its own for each story, and after each step its budget agrees with a plain account of it."""
    agent, budget = uuid4(), None
    made: dict[int, tuple[int, int | None, bool]] = {}  # number -> (reserved, cost, whether it is the truth)
    for step, number, amount in steps:
        entry = call(org, name, number + 1, agent=agent)
        if step == "budget" and budget is None:
            budget = await limit(database, org, 10**13, scope="agent", scope_id=agent)
        elif step == "reserve":
            await ledger.reserve(entry, amount)
            made.setdefault(number, (amount, None, False))
        elif step in ("settle", "fail") and number in made:
            await ledger.settle(entry, answered(amount, "answered" if step == "settle" else "overload"))
            if not made[number][2]:
                made[number] = (made[number][0], amount, True)
        elif step == "lose" and number in made:
            await ledger.settle(entry, answered(made[number][0], "lost"))
            if made[number][1] is None:
                made[number] = (made[number][0], made[number][0], False)
        if budget is not None:
            spent = sum(cost for _, cost, _ in made.values() if cost is not None)
            open_ = sum(reserved for reserved, cost, _ in made.values() if cost is None)
            assert await used(database, org, budget) == (spent, open_), steps
    async with database.session(org) as session:
        (sum_,) = await spend_store.spent(
            session, since=now() - timedelta(days=1), before=now() + timedelta(minutes=1), only={"agent": agent}
        )
    assert sum_.cost_micros == sum(cost for _, cost, _ in made.values() if cost is not None), steps


async def test_what_is_open_is_found_by_the_age_of_its_turn(ledger: Ledger, database: Database, org: UUID) -> None:
    await ledger.reserve(call(org), 9)
    async with database.transaction(org) as connection:
        found = await ledger_store.open_calls(connection, ended=timedelta(0), running=timedelta(0), limit=5)
    assert [(one.call, one.cost_micros) for one in found] == [(call(org), 9)]
