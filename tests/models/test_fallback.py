"""No fault loses a reply that any candidate could give, no reader sees text twice, and every call is on the books."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from db.engine import Database
from domain.errors import BudgetExceeded, ProviderRejected, ProviderUnavailable
from domain.knowledge.passage import Passage
from domain.llm.model import ChatMessage
from domain.models import budget_store
from tests.models.routing import CHAT, REQUEST, Stand, asked_prefix, breaks_off, says, standing
from tests.wire_server import Answer, WireServer, never, serving, streamed, whole

Make = Callable[..., AbstractAsyncContextManager[tuple[Stand, dict[str, WireServer]]]]


@pytest.fixture
async def make(database: Database, org: UUID) -> AsyncIterator[Any]:
    """A router over servers: `stand, servers = await make({"one": [answers], "two": [answers]}, **options)`."""
    async with AsyncExitStack() as stack:

        async def opened(answers: dict[str, list[Answer]], **options: Any) -> tuple[Stand, dict[str, WireServer]]:
            servers = {name: await stack.enter_async_context(serving(*each)) for name, each in answers.items()}
            return await stack.enter_async_context(standing(database, org, servers, **options)), servers

        yield opened


FAULTS: dict[str, tuple[Answer, str]] = {
    "401": (whole(401, CHAT.error_body("invalid_api_key")), "auth"),
    "402": (whole(402, CHAT.error_body("insufficient_quota")), "quota"),
    "404": (whole(404, CHAT.error_body("model_not_found")), "bad_request"),
    "408": (whole(408, "{}"), "timeout"),
    "413": (whole(413, "{}"), "context_overflow"),
    "429": (whole(429, CHAT.error_body("rate_limit_exceeded")), "rate"),
    "500": (whole(500, "{}"), "overload"),
    "529": (whole(529, "{}"), "overload"),
    "a filter": (whole(400, CHAT.error_body("content_filter")), "content_filter"),
    "not its format": (whole(200, "<html>", type="text/html"), "garbage"),
    "no end": (breaks_off(ends="whole"), "garbage"),
    "a reset": (breaks_off(), "unreachable"),
    "silence": (breaks_off(ends="stall"), "timeout"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_the_next_candidate_answers_whatever_the_first_does(make: Any, database: Database, fault: str) -> None:
    answer, kind = FAULTS[fault]
    stand, _ = await make({"one": [answer], "two": [says("Hello", " there.")]})
    heard = await stand.ask(stand.policy("one", "two"))
    assert heard.text == "Hello there."
    assert heard.outcomes == [f"one {kind}", "two answered"]
    rows = await stand.rows(database, heard)
    assert [(row["number"], row["provider"], row["outcome"]) for row in rows] == [
        (1, "one", kind),
        (2, "two", "answered"),
    ]
    assert (rows[1]["input_tokens"], rows[1]["output_tokens"], rows[1]["estimated"]) == (12, 3, False)


@pytest.mark.parametrize(
    "again", [" big house on", "The big house on", "big house on the"], ids=["goes on", "all", "word"]
)
async def test_a_failure_in_the_middle_goes_on_elsewhere_without_text_seen_twice(
    make: Any, database: Database, again: str
) -> None:
    words = {" big house on": (" house", " on the hill."), "The big house on": ("The big", " house on the hill."),
             "big house on the": ("big", " house on the hill.")}[again]  # fmt: skip
    stand, servers = await make({"one": [breaks_off("The", " big")], "two": [says(*words)]})
    heard = await stand.ask(stand.policy("one", "two"))
    assert heard.text == "The big house on the hill."
    assert asked_prefix(servers["two"]) == "The big"
    rows = await stand.rows(database, heard)
    assert [(row["outcome"], row["estimated"]) for row in rows] == [("unreachable", True), ("answered", False)]
    assert rows[0]["output_tokens"] > 0, "what it had said may be charged"


async def test_three_in_a_row_may_fail_in_the_middle(make: Any) -> None:
    answers = {"one": [breaks_off("One,")], "two": [breaks_off(" two,")], "three": [says(" three.")]}
    stand, servers = await make(answers)
    heard = await stand.ask(stand.policy("one", "two", "three"))
    assert heard.text == "One, two, three."
    assert asked_prefix(servers["three"]) == "One, two,"


async def test_sentences_of_passages_follow_another_models_beginning_as_a_paragraph(make: Any) -> None:
    stand, _ = await make({"one": [breaks_off("You can return it")]})
    text = "Refunds are paid within five days after the parcel has arrived."
    passage = Passage("p", uuid4(), uuid4(), "Returns", "", None, 0, len(text), text)
    question = "When are refunds paid after the parcel has arrived?"
    request = replace(REQUEST, messages=(ChatMessage("user", question),), question=question, passages=(passage,))
    heard = await stand.ask(stand.policy("one", "extractive"), request)
    assert heard.text == f"You can return it\n\n{text} [1]"


async def test_when_nobody_answers_the_failure_that_promises_most_is_told(make: Any) -> None:
    limited = whole(429, "{}", retry_after="7")
    stand, _ = await make({"one": [FAULTS["401"][0]], "two": [limited]})
    heard = await stand.ask(stand.policy("one", "two"))
    assert isinstance(heard.error, ProviderUnavailable), "another try may help with the second"
    assert heard.error.retry_after == 7
    refused, _ = await make({"one": [FAULTS["404"][0]], "two": [FAULTS["a filter"][0]]})
    assert isinstance((await refused.ask(refused.policy("one", "two"))).error, ProviderRejected)


async def test_who_fails_often_is_passed_over_until_a_probe_has_answered(make: Any) -> None:
    bad = whole(503, "{}")
    stand, servers = await make({"one": [bad, bad, bad, says("Back.")], "two": [says("Instead.")]})
    policy = stand.policy("one", "two")
    for _ in range(3):
        assert (await stand.ask(policy)).text == "Instead."
    passed = await stand.ask(policy)
    assert passed.outcomes == ["one passed_over", "two answered"]
    assert "open" in (passed.trail.tried[0].detail or "")
    assert len(servers["one"].requests) == 3
    await asyncio.sleep(0.35)
    assert [(await stand.ask(policy)).text for _ in range(2)] == ["Back.", "Back."]
    assert ("one", stand.model) not in stand.breakers.health()


async def test_alone_and_open_it_is_not_asked_and_says_when_it_may_be(make: Any) -> None:
    stand, servers = await make({"one": [whole(429, "{}", retry_after="30")]})
    await stand.ask(stand.policy("one"))
    heard = await stand.ask(stand.policy("one"))
    assert len(servers["one"].requests) == 1, "Retry-After is obeyed"
    assert isinstance(heard.error, ProviderUnavailable)
    assert 25 < (heard.error.retry_after or 0) <= 33


async def test_only_one_call_tries_a_half_open_one(make: Any) -> None:
    slow_then_well = streamed(CHAT.start, *CHAT.text("Well."), CHAT.end())
    bad = whole(503, "{}")
    stand, servers = await make({"one": [bad, bad, bad, slow_then_well], "two": [says("Instead.")]})
    policy = stand.policy("one", "two")
    for _ in range(3):
        await stand.ask(policy)
    await asyncio.sleep(0.35)
    heard = await asyncio.gather(*(stand.ask(policy) for _ in range(8)))
    assert len(servers["one"].requests) == 4
    assert sorted(each.text for each in heard) == ["Instead."] * 7 + ["Well."]


async def test_a_burst_waits_in_line_at_a_provider_with_a_limit(make: Any) -> None:
    running = most = 0

    async def slowly(writer: asyncio.StreamWriter) -> None:
        nonlocal running, most
        running, most = running + 1, max(most, running + 1)
        await asyncio.sleep(0.02)
        running -= 1
        await says("Hello.")(writer)

    stand, _ = await make({"one": [slowly]}, limits={"one": 2})
    heard = await asyncio.gather(*(stand.ask(stand.policy("one")) for _ in range(10)))
    assert [each.text for each in heard] == ["Hello."] * 10
    assert most == 2


async def test_a_provider_that_stays_busy_is_passed_by_and_not_blamed(make: Any) -> None:
    stand, _ = await make({"one": [never], "two": [says("Hello.")]}, limits={"one": 1})
    policy = stand.policy("one", "two", queue_seconds=0.05)
    holding = asyncio.create_task(stand.ask(policy))
    await asyncio.sleep(0.1)
    assert (await stand.ask(policy)).outcomes == ["one busy", "two answered"]
    holding.cancel()
    await asyncio.wait([holding])
    await stand.breakers.refresh()
    assert ("one", stand.model) not in stand.breakers.health()


async def test_a_reader_who_leaves_ends_the_call_and_it_is_settled(make: Any, database: Database) -> None:
    stand, servers = await make({"one": [breaks_off("Hello", ends="stall")]})
    heard = await stand.ask(stand.policy("one"), leaves_after=1)
    await asyncio.wait_for(servers["one"].hung_up.wait(), 5)
    (row,) = await stand.rows(database, heard)
    assert (row["state"], row["outcome"], row["estimated"]) == ("settled", "superseded", True)


async def test_hedged_the_second_answers_when_the_first_is_silent(make: Any, database: Database) -> None:
    stand, servers = await make({"one": [breaks_off(ends="stall")], "two": [says("Hello", " there.")]})
    heard = await stand.ask(stand.policy("one", "two", hedge_after_ms=50))
    assert heard.text == "Hello there."
    await asyncio.wait_for(servers["one"].hung_up.wait(), 5)
    rows = await stand.rows(database, heard)
    assert {row["provider"]: row["outcome"] for row in rows} == {"one": "superseded", "two": "answered"}


async def test_hedged_the_second_is_not_asked_when_the_first_speaks(make: Any) -> None:
    stand, servers = await make({"one": [says("Hello.")], "two": [says("No.")]})
    heard = await stand.ask(stand.policy("one", "two", hedge_after_ms=2000))
    assert (heard.text, servers["two"].requests) == ("Hello.", [])


@pytest.mark.parametrize("second", [whole(503, "{}"), breaks_off("Hel", "lo")], ids=["at once", "in the middle"])
async def test_hedged_a_failing_second_leaves_the_others(make: Any, second: Answer) -> None:
    async def late(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.2)
        await says(" there.")(writer)

    stand, _ = await make({"one": [late], "two": [second], "three": [says(" there.")]})
    heard = await stand.ask(stand.policy("one", "two", "three", hedge_after_ms=30))
    assert heard.text in {" there.", "Hello there."}
    assert heard.error is None


async def test_a_budget_without_room_for_one_may_have_room_for_a_cheaper(
    make: Any, database: Database, org: UUID
) -> None:
    stand, servers = await make({"dear": [says("Dear.")], "cheap": [says("Cheap.")]}, prices={"dear": 100, "cheap": 1})
    async with database.session(org) as session:
        given = {"scope": "organisation", "period": "day", "limit_micros": 2_000, "warn_percent": 80}
        await budget_store.create_budget(session, org, given)
    heard = await stand.ask(stand.policy("dear", "cheap"))
    assert heard.outcomes == ["dear over_budget", "cheap answered"]
    assert servers["dear"].requests == []
    assert isinstance((await stand.ask(stand.policy("dear"))).error, BudgetExceeded)
    capped = await stand.ask(stand.policy("dear", "cheap", max_cost_micros=500))
    assert capped.outcomes == ["dear passed_over", "cheap answered"]
