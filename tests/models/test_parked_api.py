"""Whoever asks over HTTP while no model answers: told, kept waiting no longer than sense, and answered in the end."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx2
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam
from temporalio.client import Client

from contracts.options import PROVIDER_ATTEMPTS
from runtime.resources import Resources, open_resources
from sdk.reply import Event, Reply
from tests.api.site import Site, open_site
from tests.api.talk import ask, open_conversation, scripted
from tests.house import House

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello"}]
WORDS = "alpha beta gamma delta epsilon zeta"


@pytest.fixture(scope="module")
async def resources(house: House) -> AsyncIterator[Resources]:
    async with open_resources(house.resources.settings, "test") as resources:
        yield resources


@pytest.fixture(scope="module")
async def site(resources: Resources, temporal_client: Client) -> AsyncIterator[Site]:
    async with open_site(resources, temporal_client) as site:
        yield site


@pytest.fixture
async def caller(site: Site, org: UUID) -> AsyncIterator[httpx2.AsyncClient]:
    async with await site.caller(org) as client:
        yield client


@pytest.fixture
async def client(site: Site, org: UUID) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(api_key=await site.key(org), base_url=f"{site.url}/v1", max_retries=0) as client:
        yield client


def failing(times: int, *, pause: float = 0.2, **outage: Any) -> dict[str, Any]:
    settings = {"first_pause_seconds": pause, "longest_pause_seconds": pause, **outage}
    return scripted(WORDS, failures=["unavailable"] * times) | {"outage": settings}


async def conversation_of(caller: httpx2.AsyncClient) -> dict[str, Any]:
    """The one conversation that is parked, once there is one."""
    async with asyncio.timeout(20):
        while True:
            found = []
            for kind in ("conversation", "one_shot"):
                page = await caller.get(f"/v1/conversations?attention=parked&kind={kind}")
                found += page.json()["data"]
            if found:
                (only,) = found
                return dict(only)
            await asyncio.sleep(0.05)


async def test_a_stream_of_events_shows_the_notice_and_then_the_answer(caller: httpx2.AsyncClient) -> None:
    conversation = await open_conversation(caller, failing(PROVIDER_ATTEMPTS))
    events = await ask(caller, conversation, "Hello there, how are you?")
    reply, notices = Reply(), list[str | None]()
    for number, (_, name, data) in enumerate(events):
        reply.feed(Event(number, name, data))
        notices.append(reply.notice)
    assert (reply.text, reply.finished, reply.failure) == (WORDS, True, None)
    assert any(notices)
    assert notices[-1] is None
    assert [name for _, name, _ in events].count("turn.parked") == 1


async def test_an_operator_finds_a_parked_conversation_and_ends_its_pause(caller: httpx2.AsyncClient) -> None:
    conversation = await open_conversation(caller, failing(PROVIDER_ATTEMPTS, pause=60))
    refused = await caller.post(f"/v1/conversations/{conversation}/retry")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    asking = asyncio.create_task(ask(caller, conversation, "Hello"))
    parked = await conversation_of(caller)
    assert (parked["id"], parked["attention"]) == (conversation, "parked")
    (turn,) = (await caller.get(f"/v1/conversations/{conversation}/turns")).json()["data"]
    assert (turn["state"], turn["parks"]) == ("running", 1)
    assert turn["parked_until"] is not None
    told = await caller.post(f"/v1/conversations/{conversation}/retry")
    assert (told.status_code, told.json()["code"]) == (202, "provider_unavailable")
    assert (await asking)[-1][1] == "turn.completed"
    assert (await caller.get(f"/v1/conversations/{conversation}")).json()["attention"] is None


async def test_what_was_handed_over_stays_found_until_a_later_turn_is_answered(caller: httpx2.AsyncClient) -> None:
    conversation = await open_conversation(caller, failing(99, give_up_seconds=0.2))
    assert (await ask(caller, conversation, "Hello"))[-1][1] == "turn.handed_over"
    found = (await caller.get("/v1/conversations?attention=handed_over")).json()["data"]
    assert [(row["id"], row["attention"]) for row in found] == [(conversation, "handed_over")]
    assert (await caller.get("/v1/conversations?attention=parked")).json()["data"] == []
    (turn,) = (await caller.get(f"/v1/conversations/{conversation}/turns")).json()["data"]
    assert (turn["state"], turn["error_code"]) == ("handed_over", "provider_unavailable")


async def test_a_streamed_completion_waits_and_goes_on(caller: httpx2.AsyncClient, client: openai.AsyncOpenAI) -> None:
    await caller.post("/v1/agents", json={"name": "support", "config": failing(PROVIDER_ATTEMPTS, pause=60)})
    stream = await client.chat.completions.create(model="support", messages=HELLO, stream=True)
    parked = await conversation_of(caller)
    assert (await caller.post(f"/v1/conversations/{parked['id']}/retry")).status_code == 202
    said = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
    assert "".join(said) == WORDS, "not a word twice"


async def test_a_completion_that_would_take_long_is_told_when_to_ask_again_and_is_then_answered(
    caller: httpx2.AsyncClient, client: openai.AsyncOpenAI
) -> None:
    await caller.post("/v1/agents", json={"name": "support", "config": failing(PROVIDER_ATTEMPTS, pause=60)})
    keyed = {"Idempotency-Key": "mine"}
    with pytest.raises(openai.InternalServerError) as away:
        await client.chat.completions.create(model="support", messages=HELLO, extra_headers=keyed)
    assert (away.value.status_code, away.value.code) == (503, "provider_unavailable")
    assert 0 < int(away.value.response.headers["Retry-After"]) <= 75
    parked = await conversation_of(caller)
    assert (await caller.post(f"/v1/conversations/{parked['id']}/retry")).status_code == 202
    answer = await client.chat.completions.create(model="support", messages=HELLO, extra_headers=keyed)
    assert answer.choices[0].message.content == WORDS


async def test_a_completion_without_a_key_is_not_answered_when_nobody_can_ask_for_it(
    caller: httpx2.AsyncClient, client: openai.AsyncOpenAI
) -> None:
    await caller.post("/v1/agents", json={"name": "support", "config": failing(PROVIDER_ATTEMPTS, pause=60)})
    with pytest.raises(openai.InternalServerError):
        await client.chat.completions.create(model="support", messages=HELLO)
    (one_shot,) = (await caller.get("/v1/conversations?kind=one_shot")).json()["data"]
    async with asyncio.timeout(20):
        while True:
            (turn,) = (await caller.get(f"/v1/conversations/{one_shot['id']}/turns")).json()["data"]
            if turn["state"] != "running":
                break
            await asyncio.sleep(0.05)
    assert (turn["state"], turn["error_code"]) == ("failed", "cancelled")


async def test_a_completion_that_is_parked_for_a_moment_is_answered(
    caller: httpx2.AsyncClient, client: openai.AsyncOpenAI
) -> None:
    await caller.post("/v1/agents", json={"name": "support", "config": failing(PROVIDER_ATTEMPTS)})
    answer = await client.chat.completions.create(model="support", messages=HELLO)
    assert answer.choices[0].message.content == WORDS
