"""OpenAI's own client works unchanged: an agent is a model, and its answers are cited."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import httpx2
import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from api.spoken import Spoken
from tests.api.site import Site
from tests.api.talk import scripted

REPLY = "This is a scripted reply."
HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello"}]


@pytest.fixture
async def client(site: Site, org: UUID, caller: httpx2.AsyncClient) -> AsyncIterator[openai.AsyncOpenAI]:
    await caller.post("/v1/agents", json={"name": "support", "config": scripted()})
    async with openai.AsyncOpenAI(api_key=await site.key(org), base_url=f"{site.url}/v1", max_retries=0) as client:
        yield client


async def test_agents_are_models(client: openai.AsyncOpenAI, caller: httpx2.AsyncClient) -> None:
    assert [model.id async for model in client.models.list()] == ["support"]
    agent = (await caller.get("/v1/agents")).json()["data"][0]["id"]
    assert (await client.models.retrieve("support")).id == "support"
    assert (await client.models.retrieve(agent)).id == "support"


@pytest.mark.usefixtures("workers")
async def test_a_completion(client: openai.AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(model="support", messages=HELLO, temperature=0.1, user="u")
    assert (answer.object, answer.model) == ("chat.completion", "support")
    choice = answer.choices[0]
    assert (choice.finish_reason, choice.message.role, choice.message.content) == ("stop", "assistant", REPLY)
    assert choice.message.model_extra is not None
    assert choice.message.model_extra["citations"] == []
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


@pytest.mark.usefixtures("workers")
async def test_a_stream_with_its_usage(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="support", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == REPLY
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens > 0
    assert len({chunk.id for chunk in chunks}) == 1
    plain = await client.chat.completions.create(model="support", messages=HELLO, stream=True)
    assert [chunk async for chunk in plain][-1].choices[0].finish_reason == "stop"


@pytest.mark.usefixtures("workers")
async def test_the_given_history_is_kept(client: openai.AsyncOpenAI, caller: httpx2.AsyncClient) -> None:
    await client.chat.completions.create(
        model="support",
        messages=[
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello!"},
            {"role": "user", "content": [{"type": "text", "text": "And"}, {"type": "text", "text": "now?"}]},
        ],
    )
    one_shot = (await caller.get("/v1/conversations?kind=one_shot")).json()["data"][0]
    messages = (await caller.get(f"/v1/conversations/{one_shot['id']}/messages")).json()["data"]
    assert [(row["role"], row["text"]) for row in messages] == [
        ("user", "Be kind."),
        ("user", "Hi"),
        ("assistant", "Hello!"),
        ("user", "And\nnow?"),
        ("assistant", REPLY),
    ]
    refused = await caller.post(f"/v1/conversations/{one_shot['id']}/messages", json={"text": "More"})
    assert refused.status_code == 409


@pytest.mark.usefixtures("workers")
async def test_a_repeated_request_is_answered_once(client: openai.AsyncOpenAI, caller: httpx2.AsyncClient) -> None:
    keyed = {"Idempotency-Key": "k"}
    first = await client.chat.completions.create(model="support", messages=HELLO, extra_headers=keyed)
    again = await client.chat.completions.create(model="support", messages=HELLO, extra_headers=keyed)
    assert (again.id, again.choices) == (first.id, first.choices)
    with pytest.raises(openai.BadRequestError):
        await client.chat.completions.create(
            model="support", messages=[{"role": "user", "content": "Other"}], extra_headers=keyed
        )
    assert len((await caller.get("/v1/conversations?kind=one_shot")).json()["data"]) == 1


@pytest.mark.usefixtures("workers")
async def test_a_turn_that_fails_says_so_in_words(client: openai.AsyncOpenAI, caller: httpx2.AsyncClient) -> None:
    await caller.post("/v1/agents", json={"name": "broken", "config": scripted(failures=["rejected"])})
    answer = await client.chat.completions.create(model="broken", messages=HELLO)
    message = answer.choices[0].message
    assert message.content
    assert message.model_extra is not None
    assert message.model_extra["error"]["code"] == "provider_rejected"


@pytest.mark.usefixtures("workers")
async def test_a_caller_who_leaves_has_asked_all_the_same(
    client: openai.AsyncOpenAI, caller: httpx2.AsyncClient
) -> None:
    await caller.post("/v1/agents", json={"name": "slow", "config": scripted("one two", token_delay_ms=300)})
    stream = await client.chat.completions.create(model="slow", messages=HELLO, stream=True)
    async for _ in stream:
        break
    await stream.close()
    one_shot = (await caller.get("/v1/conversations?kind=one_shot")).json()["data"][0]["id"]
    async with asyncio.timeout(20):
        while len((await caller.get(f"/v1/conversations/{one_shot}/messages")).json()["data"]) < 2:
            await asyncio.sleep(0.05)


async def test_errors_come_in_the_vendors_envelope(
    client: openai.AsyncOpenAI, site: Site, caller: httpx2.AsyncClient
) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        await client.chat.completions.create(model="nobody", messages=HELLO)
    assert (missing.value.code, missing.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("nobody")
    with pytest.raises(openai.BadRequestError) as bad:
        await client.chat.completions.create(model="support", messages=[{"role": "assistant", "content": "Hi"}])
    assert bad.value.param == "messages.0.role"
    for messages in ([], [{"role": "user", "content": " "}], [{"role": "user", "content": "x" * 32_001}]):
        with pytest.raises(openai.BadRequestError):
            await client.chat.completions.create(model="support", messages=messages)  # type: ignore[arg-type]
    with pytest.raises(openai.AuthenticationError) as stranger:
        await client.with_options(api_key="nonsense").chat.completions.create(model="support", messages=HELLO)
    assert stranger.value.code == "invalid_api_key"
    for response in (
        await caller.post("/v1/chat/completions", content=b"{", headers={"Content-Type": "application/json"}),
        await caller.get("/v1/chat/completions"),
        await caller.get("/v1/chat/nowhere"),
        await caller.post("/v1/chat/completions", content=b" " * 1_000_001),
    ):
        assert response.status_code >= 400
        assert set(response.json()["error"]) >= {"message", "type", "param", "code"}


def test_what_was_said_is_never_said_again() -> None:
    spoken = Spoken()
    assert spoken.delta("Hello ", 0) + spoken.delta("world", 6) == "Hello world"
    spoken.rewind(0)
    assert spoken.delta("Hello", 0) == ""
    assert spoken.delta(" world, again", 5) == ", again"
    spoken.rewind(6)
    assert spoken.delta("there", 6) == "\n\nthere"
    assert spoken.delta(".", 11) == "."
    spoken.rewind(12)
    assert spoken.delta(" Bye", 12) == " Bye"
