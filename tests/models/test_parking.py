"""A turn that no model can answer is parked, and its answer comes by itself, whole and once; a person gets the rest."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError

from contracts import ids, search
from contracts.conversation import ConversationState, ParkedState, RetryNow
from contracts.options import PROVIDER_ATTEMPTS
from contracts.turn import TurnRef
from domain.agents.config import AgentConfig, ModelSettings, Script
from domain.agents.outage import OutageSettings
from domain.conversations import parking_store
from domain.conversations.log import LoggedEvent, rebuild
from domain.conversations.notices import HANDOVER, NOTICE
from domain.conversations.outage import pause_seconds
from tests.house import House
from tests.rows import make_conversation

FIRST, AGAIN = PROVIDER_ATTEMPTS, 2
"""Attempts before the first pause, and before each later one."""

WORDS = "alpha beta gamma delta epsilon zeta"


def failing(times: int, text: str = WORDS, *, outage: dict[str, Any] | None = None, **script: Any) -> AgentConfig:
    """An agent whose model is away for so many attempts."""
    settings = {"first_pause_seconds": 0.2, "longest_pause_seconds": 0.4, **(outage or {})}
    written = Script.model_validate({"text": text, "failures": ["unavailable"] * times, **script})
    return AgentConfig(
        model=ModelSettings(provider="scripted", script=written), outage=OutageSettings.model_validate(settings)
    )


def kinds(events: list[LoggedEvent]) -> list[str]:
    return [event.type for event in events if event.type not in ("reply.delta", "reply.started")]


async def until(house: House, ref: TurnRef, type: str) -> list[LoggedEvent]:
    """The events once there is one of a type."""
    async with asyncio.timeout(20):
        while True:
            events = await house.events(ref, turns=0)
            if any(event.type == type for event in events):
                return events
            await asyncio.sleep(0.02)


def run_of(house: House, ref: TurnRef) -> "WorkflowHandle[Any, Any]":
    return house.client.get_workflow_handle(ids.conversation_workflow_id(ref.conversation_id))


async def texts(house: House, ref: TurnRef) -> list[tuple[str, str]]:
    async with house.resources.database.transaction(ref.org_id) as connection:
        rows = await connection.fetch(
            "SELECT role, text FROM messages WHERE conversation_id = $1 ORDER BY position", ref.conversation_id
        )
    return [(row["role"], row["text"]) for row in rows]


async def test_a_provider_that_is_down_for_three_pauses_and_comes_back_answers_once(house: House, org: UUID) -> None:
    ref = await make_conversation(house.resources.database, org, failing(FIRST + 2 * AGAIN))
    await house.post(ref, "Hello there")
    events = await house.events(ref)
    assert kinds(events) == [
        "message.created",
        "turn.started",
        *["turn.parked", "turn.resumed"] * 3,
        "message.created",
        "turn.completed",
    ]
    parked = [event.data for event in events if event.type == "turn.parked"]
    assert [data["notice"] for data in parked] == [NOTICE["en"], None, None], "readers see the notice once"
    assert {data["code"] for data in parked} == {"provider_unavailable"}
    assert len({data["since"] for data in parked}) == 1
    assert sorted(data["until"] for data in parked) == [data["until"] for data in parked]
    said = "".join(event.data["text"] for event in events if event.type == "reply.delta")
    assert said == WORDS, "it broke off after the same half of the words in each attempt"
    assert await texts(house, ref) == [("user", "Hello there"), ("assistant", WORDS)]
    attempts = [event.data["attempt"] for event in events if event.type == "reply.started"]
    assert attempts == list(range(1, FIRST + 2 * AGAIN + 2))
    async with house.resources.database.transaction(org) as connection:
        turn = await connection.fetchrow("SELECT state, parks, parked_until, record FROM turns")
    assert turn is not None
    assert (turn["state"], turn["parks"], turn["parked_until"]) == ("completed", 3, None)
    assert turn["record"]["parked"]["pauses"] == 3


async def test_past_its_limit_a_turn_is_handed_over_to_a_person_who_can_find_it(house: House, org: UUID) -> None:
    config = failing(1000, outage={"give_up_seconds": 0.5})
    ref = await make_conversation(house.resources.database, org, config)
    await house.post(ref, "Warum ist die Rechnung in diesem Monat so hoch?")
    events = await house.events(ref)
    assert events[-1].type == "turn.handed_over"
    assert events[-1].data["code"] == "provider_unavailable"
    assert next(e.data["notice"] for e in events if e.type == "turn.parked") == NOTICE["de"]
    answer = (await texts(house, ref))[-1][1]
    assert answer.startswith("alpha beta gamma"), "what was shown stays"
    assert answer.endswith(f"\n\n{HANDOVER['de']}")
    assert rebuild(events) == answer
    described = await run_of(house, ref).describe()
    assert described.typed_search_attributes.get(search.STATE) == "handed_over"
    async with house.resources.database.session(org) as session:
        assert await parking_store.attention(session, [ref.conversation_id]) == {ref.conversation_id: "handed_over"}


async def test_a_parked_turn_says_why_it_waits_and_goes_on_when_it_is_told_to(house: House, org: UUID) -> None:
    ref = await make_conversation(
        house.resources.database, org, failing(FIRST, outage={"first_pause_seconds": 60, "longest_pause_seconds": 60})
    )
    await house.post(ref, "Hello")
    await until(house, ref, "turn.parked")
    run = run_of(house, ref)
    async with house.resources.database.session(org) as session:
        assert await parking_store.attention(session, [ref.conversation_id]) == {ref.conversation_id: "parked"}
    state = await run.query("state", result_type=ConversationState)
    assert "parked" in state.step
    assert state.parked is not None
    assert (state.parked.code, state.parked.pause) == ("provider_unavailable", 1)
    assert (await run.describe()).typed_search_attributes.get(search.STATE) == "parked"
    waited = await run.execute_update("retry_now", RetryNow(), result_type=ParkedState)
    assert waited.pause == 1
    events = await house.events(ref)
    assert [event.data["woken"] for event in events if event.type == "turn.resumed"] == ["retry"]
    assert (await texts(house, ref))[-1] == ("assistant", WORDS)
    with pytest.raises(WorkflowUpdateFailedError):
        await run.execute_update("retry_now", RetryNow(), result_type=ParkedState)
    assert (await run.describe()).typed_search_attributes.get(search.STATE) == "running"


async def test_a_message_joins_a_parked_turn_that_has_said_nothing_and_wakes_it(house: House, org: UUID) -> None:
    config = failing(FIRST, "Both then.", outage={"first_pause_seconds": 60, "longest_pause_seconds": 60})
    ref = await make_conversation(house.resources.database, org, config)
    await house.post(ref, "First half")
    await until(house, ref, "turn.parked")
    await house.post(ref, "second half")
    events = await house.events(ref)
    assert [event.data["woken"] for event in events if event.type == "turn.resumed"] == ["message"]
    assert await texts(house, ref) == [("user", "First half"), ("user", "second half"), ("assistant", "Both then.")]


async def test_a_message_waits_behind_a_parked_turn_that_has_spoken(house: House, org: UUID) -> None:
    ref = await make_conversation(house.resources.database, org, failing(FIRST))
    await house.post(ref, "First")
    await until(house, ref, "turn.parked")
    await house.post(ref, "Second")
    events = await house.events(ref, turns=2)
    assert [role for role, _ in await texts(house, ref)] == ["user", "assistant", "user", "assistant"]
    assert [event.data["woken"] for event in events if event.type == "turn.resumed"] == ["timer", "timer"]


async def test_cancelling_a_parked_turn_ends_it_with_an_explanation(house: House, org: UUID) -> None:
    ref = await make_conversation(house.resources.database, org, failing(99, outage={"first_pause_seconds": 0.4}))
    await house.post(ref, "Hello")
    await until(house, ref, "turn.parked")
    await run_of(house, ref).cancel()
    events = await house.events(ref)
    assert (events[-1].type, events[-1].data["code"]) == ("turn.failed", "cancelled")


async def test_an_agent_that_does_not_park_explains_at_once(house: House, org: UUID) -> None:
    ref = await make_conversation(house.resources.database, org, failing(99, outage={"give_up_seconds": 0}))
    await house.post(ref, "Hello")
    events = await house.events(ref)
    assert "turn.parked" not in kinds(events)
    assert (events[-1].type, events[-1].data["code"]) == ("turn.failed", "provider_unavailable")


@pytest.mark.parametrize(
    ("pauses", "waited", "retry_after", "expected"),
    [
        (0, 0, None, 5),
        (1, 5, None, 10),
        (2, 15, None, 20),
        (9, 300, None, 60),  # the longest
        (40, 300, None, 60),  # no number is too large
        (0, 0, 120, 120),  # the provider's own wish
        (0, 0, 2, 5),
        (3, 890, None, 10),  # what is left until a person must answer
        (3, 890, 7200, 10),
        (3, 900, None, None),
        (3, 1000, None, None),
    ],
)
def test_pauses_grow_and_obey_the_provider_until_time_is_up(
    pauses: int, waited: float, retry_after: float | None, expected: float | None
) -> None:
    found = pause_seconds(OutageSettings(), pauses=pauses, waited=waited, retry_after=retry_after, luck=0)
    assert found == expected
    if expected is not None:
        spread = pause_seconds(OutageSettings(), pauses=pauses, waited=waited, retry_after=retry_after, luck=1)
        assert spread is not None
        assert expected <= spread <= expected * 1.25


def test_notices_exist_in_the_same_languages() -> None:
    assert NOTICE.keys() == HANDOVER.keys()
