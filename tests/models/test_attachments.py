"""An image or a file that comes with a message reaches the model as it is, and Temporal carries only its name."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
import openai
import pytest
from temporalio.client import Client

from contracts import ids
from domain.conversations.stranded_store import stranded_turns
from runtime.embedded.postgres import EmbeddedPostgres
from runtime.embedded.temporal import EmbeddedTemporal
from tests.api.site import Site, open_site
from tests.api.talk import open_conversation, scripted
from tests.conftest import make_org
from tests.house import House, house_on
from tests.models.dialects import Anthropic, Gemini, OpenAIChat, Responses
from tests.wire_server import WireServer, serving, streamed

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20
PDF = b"%PDF-1.7\n" + b"x" * 500
SEEING = {dialect.name: dialect for dialect in (OpenAIChat(), Responses(), Anthropic(), Gemini())}


def data_url(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


@pytest.fixture(scope="module")
async def models() -> AsyncIterator[dict[str, WireServer]]:
    async with AsyncExitStack() as stack:
        yield {
            name: await stack.enter_async_context(
                serving(streamed(says.start, *says.text("A red", " square."), says.end()))
            )
            for name, says in SEEING.items()
        }


@pytest.fixture(scope="module")
async def house(
    postgres: EmbeddedPostgres,
    temporal: EmbeddedTemporal,
    temporal_client: Client,
    tmp_path_factory: pytest.TempPathFactory,
    models: dict[str, WireServer],
) -> AsyncIterator[House]:
    seeing = {
        name: {"kind": name, "base_url": models[name].url + says.path, "model": "m"} for name, says in SEEING.items()
    }
    folder = tmp_path_factory.mktemp("attachments")
    async with house_on(postgres, temporal, temporal_client, folder, providers=seeing) as house:
        yield house


@pytest.fixture(scope="module")
async def site(house: House) -> AsyncIterator[Site]:
    async with open_site(house.resources, house.client) as site:
        yield site


@pytest.fixture
async def caller(site: Site, org: UUID) -> AsyncIterator[httpx2.AsyncClient]:
    async with await site.caller(org) as client:
        yield client


async def ask(
    caller: httpx2.AsyncClient, conversation: str, *attachments: dict[str, str], **headers: str
) -> httpx2.Response:
    """Post a question about them and read to the end of the answer."""
    return await caller.post(
        f"/v1/conversations/{conversation}/messages",
        json={"text": "What is it?", "attachments": attachments},
        headers={"Accept": "text/event-stream", **headers},
    )


def sent(server: WireServer) -> str:
    """The latest request, as text in which base64 is plain: one SDK writes it for URLs."""
    return json.dumps(server.requests[-1]).replace("-", "+").replace("_", "/")


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode().rstrip("=")


@pytest.mark.parametrize("provider", SEEING)
async def test_they_reach_each_provider_and_can_be_had_again(
    provider: str, caller: httpx2.AsyncClient, models: dict[str, WireServer]
) -> None:
    conversation = await open_conversation(caller, {"model": {"provider": provider, "name": "m"}})
    image, terms = data_url("image/png", PNG), data_url("application/pdf", PDF)
    answer = await ask(caller, conversation, {"url": image, "name": "square.png"}, {"url": terms, "name": "terms.pdf"})
    assert "turn.completed" in answer.text
    request = sent(models[provider])
    assert encoded(PNG) in request
    assert encoded(PDF) in request
    question, reply = (await caller.get(f"/v1/conversations/{conversation}/messages")).json()["data"]
    assert (question["text"], reply["text"]) == ("What is it?", "A red square.")
    assert [(one["name"], one["media_type"], one["size"]) for one in question["attachments"]] == [
        ("square.png", "image/png", len(PNG)),
        ("terms.pdf", "application/pdf", len(PDF)),
    ]
    assert reply["attachments"] == []
    again = await caller.get(question["attachments"][0]["url"])
    assert (again.content, again.headers["content-type"]) == (PNG, "image/png")
    assert again.headers["content-disposition"] == "attachment"


async def test_temporal_carries_their_names_only(caller: httpx2.AsyncClient, house: House) -> None:
    conversation = await open_conversation(caller, {"model": {"provider": "openai", "name": "m"}})
    await ask(caller, conversation, {"url": data_url("image/png", PNG), "name": "square.png"})
    handle = house.client.get_workflow_handle(ids.conversation_workflow_id(UUID(conversation)))
    history = (await handle.fetch_history()).to_json()
    payloads = [base64.b64decode(data) for data in _payloads(json.loads(history))]
    assert any(b"square.png" in payload for payload in payloads)
    assert not any(PNG[:100] in payload or encoded(PNG).encode()[:100] in payload for payload in payloads)


def _payloads(node: Any) -> list[str]:
    if isinstance(node, list):
        return [found for each in node for found in _payloads(each)]
    if not isinstance(node, dict):
        return []
    own = [node["data"]] if "metadata" in node and isinstance(node.get("data"), str) else []
    return own + [found for each in node.values() for found in _payloads(each)]


async def test_openais_client_sends_images_and_files_also_of_earlier_lines(
    site: Site, caller: httpx2.AsyncClient, org: UUID, models: dict[str, WireServer]
) -> None:
    config = {"model": {"provider": "anthropic", "name": "m"}}
    await caller.post("/v1/agents", json={"name": "eyes", "config": config})
    async with openai.AsyncOpenAI(api_key=await site.key(org), base_url=f"{site.url}/v1", max_retries=0) as client:
        stream = await client.chat.completions.create(
            model="eyes",
            messages=[
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "Look."},
                        {"type": "image_url", "image_url": {"url": data_url("image/png", PNG), "detail": "low"}},
                    ],
                },
                {"role": "assistant", "content": "I see it."},
                {
                    "role": "user",
                    "content": [
                        {"type": "file", "file": {"filename": "t.pdf", "file_data": data_url("application/pdf", PDF)}},
                        {"type": "text", "text": "What is it?"},
                    ],
                },
            ],
            stream=True,
        )
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])
    assert text == "A red square."
    assert encoded(PNG) in sent(models["anthropic"])
    assert encoded(PDF) in sent(models["anthropic"])


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://shop.example/square.png", "data:"),
        ("data:image/png;base64,???", "base64"),
        ("data:image/png;base64,", "empty"),
        (data_url("image/png", PDF), "not image/png"),
        (data_url("application/zip", b"PK"), "models read"),
        (data_url("text/plain", b"\xff\xfe"), "UTF-8"),
    ],
)
async def test_what_no_model_can_read_is_refused_where_it_stands(
    url: str, why: str, caller: httpx2.AsyncClient
) -> None:
    await caller.post("/v1/agents", json={"name": "eyes", "config": scripted()})
    parts = [{"type": "text", "text": "What is it?"}, {"type": "image_url", "image_url": {"url": url}}]
    body = {"model": "eyes", "messages": [{"role": "user", "content": parts}]}
    refused = await caller.post("/v1/chat/completions", json=body)
    assert refused.status_code == 400, refused.text
    assert why in refused.json()["error"]["message"]
    assert refused.json()["error"]["param"] == "messages.0.content.1.image_url.url"
    conversation = await open_conversation(caller, scripted())
    refused = await ask(caller, conversation, {"url": data_url("image/png", PNG)}, {"url": url})
    assert refused.status_code == 422
    assert "/attachments/1/url" in refused.text


async def test_too_many_and_too_much_is_refused(caller: httpx2.AsyncClient) -> None:
    conversation = await open_conversation(caller, scripted())
    small, large = {"url": data_url("text/plain", b"x")}, {"url": data_url("text/plain", b"x" * 5_000_001)}
    assert (await ask(caller, conversation, *[small] * 11)).status_code == 422
    assert (await ask(caller, conversation, large, large)).status_code == 413


async def test_the_same_key_with_another_image_is_another_message(caller: httpx2.AsyncClient) -> None:
    conversation = await open_conversation(caller, scripted("Yes."))
    image, other = {"url": data_url("image/png", PNG)}, {"url": data_url("image/png", PNG + b"x")}
    keyed = {"Idempotency-Key": "one"}
    first = await ask(caller, conversation, image, **keyed)
    again = await ask(caller, conversation, image, **keyed)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.text.count("turn.completed") == first.text.count("turn.completed")
    for changed in ((other,), (), (image, other)):
        assert (await ask(caller, conversation, *changed, **keyed)).status_code == 422
    messages = (await caller.get(f"/v1/conversations/{conversation}/messages")).json()["data"]
    assert [len(message["attachments"]) for message in messages] == [1, 0]


async def test_nobody_else_can_have_them(site: Site, caller: httpx2.AsyncClient, postgres: EmbeddedPostgres) -> None:
    conversation = await open_conversation(caller, scripted())
    await ask(caller, conversation, {"url": data_url("image/png", PNG)})
    question = (await caller.get(f"/v1/conversations/{conversation}/messages")).json()["data"][0]
    async with await site.caller(await make_org(postgres)) as outsider:
        assert (await outsider.get(question["attachments"][0]["url"])).status_code == 404


async def test_a_turn_that_nobody_runs_any_more_is_asked_again_with_them(
    caller: httpx2.AsyncClient, house: House, org: UUID
) -> None:
    conversation = await open_conversation(caller, scripted())
    await ask(caller, conversation, {"url": data_url("image/png", PNG), "name": "square.png"})
    async with house.resources.database.transaction(org) as connection:
        await connection.execute("UPDATE turns SET state = 'running', started_at = now() - interval '1 hour'")
        (stranded,) = await stranded_turns(connection, timedelta(minutes=2), 10)
    (came,) = stranded.messages[0].attachments
    assert (came.name, came.media_type, came.size) == ("square.png", "image/png", len(PNG))
