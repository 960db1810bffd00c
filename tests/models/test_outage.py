"""An outage as real SDKs meet it on a real socket: waited out, obeyed, mended by an operator, paid for once."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import httpx2
import pytest
from temporalio.client import Client

from contracts.turn import TurnRef
from domain.agents.config import AgentConfig, ModelSettings
from domain.agents.outage import OutageSettings
from domain.conversations.log import LoggedEvent, rebuild
from domain.llm.provider_config import ProviderConfig
from runtime.embedded.postgres import EmbeddedPostgres
from runtime.embedded.temporal import EmbeddedTemporal
from tests.api.site import open_site
from tests.api.talk import open_conversation, scripted
from tests.house import House, house_on
from tests.models.routing import says
from tests.rows import make_conversation
from tests.wire_server import WireServer, serving, whole

DOWN = whole(503, '{"error": {"message": "overloaded"}}')
QUICK = {"first_pause_seconds": 0.2, "longest_pause_seconds": 0.4}


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[WireServer]:
    async with serving(DOWN) as server:
        yield server


@pytest.fixture(scope="module")
async def house(
    server: WireServer,
    postgres: EmbeddedPostgres,
    temporal: EmbeddedTemporal,
    temporal_client: Client,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[House]:
    near = {"kind": "openai_compatible", "base_url": f"{server.url}/v1", "model": "near"}
    folder = tmp_path_factory.mktemp("house")
    async with house_on(
        postgres, temporal, temporal_client, folder, providers={"near": ProviderConfig.model_validate(near)}
    ) as house:
        yield house


async def conversation(house: House, org: UUID, model: str, **outage: float) -> TurnRef:
    """model: another for each test, so that a breaker that one opened is not in another's way."""
    config = AgentConfig(
        model=ModelSettings(provider="near", name=model), outage=OutageSettings.model_validate(QUICK | outage)
    )
    return await make_conversation(house.resources.database, org, config)


def data(events: list[LoggedEvent], type: str, field: str) -> list[object]:
    return [event.data[field] for event in events if event.type == type]


async def until(house: House, ref: TurnRef, type: str) -> None:
    async with asyncio.timeout(20):
        while not any(event.type == type for event in await house.events(ref, turns=0)):
            await asyncio.sleep(0.02)


async def test_a_provider_that_comes_back_answers_what_was_asked_while_it_was_away(
    house: House, org: UUID, server: WireServer
) -> None:
    server.answer_with(DOWN)
    ref = await conversation(house, org, "comes-back")
    await house.post(ref, "Hello there")
    await until(house, ref, "turn.resumed")
    server.answer_with(says("Here", " I", " am."))
    events = await house.events(ref)
    assert (rebuild(events), events[-1].type) == ("Here I am.", "turn.completed")
    assert len(server.requests) == 1, "asked once after it came back"
    async with house.resources.database.transaction(org) as connection:
        paid = await connection.fetchval("SELECT count(*) FROM model_calls WHERE outcome = 'answered'")
        waiting = await connection.fetchval("SELECT count(*) FROM model_calls WHERE state = 'reserved'")
    assert (paid, waiting) == (1, 0)


async def test_the_pause_that_a_provider_asks_for_is_kept_also_when_the_customer_writes_again(
    house: House, org: UUID, server: WireServer
) -> None:
    server.answer_with(whole(429, '{"error": {"message": "slow down"}}', retry_after="3"), says("Both."))
    ref = await conversation(house, org, "slow-down")
    await house.post(ref, "First half")
    await until(house, ref, "turn.parked")
    await house.post(ref, "second half")
    async with asyncio.timeout(20):
        while sum(event.type == "message.created" for event in await house.events(ref, turns=0)) < 2:
            await asyncio.sleep(0.02)
    assert len(server.requests) == 1, "it was told to wait, and not asked a second time"
    events = await house.events(ref)
    assert rebuild(events) == "Both."
    parked = next(event for event in events if event.type == "turn.parked")
    resumed = next(event for event in events if event.type == "turn.resumed")
    assert (resumed.created_at - parked.created_at).total_seconds() > 2
    assert data(events, "turn.resumed", "woken")[0] == "timer"
    assert [event.data["role"] for event in events if event.type == "message.created"] == ["user", "user", "assistant"]


async def test_a_key_that_is_refused_parks_because_an_operator_can_mend_it(
    house: House, org: UUID, server: WireServer
) -> None:
    server.answer_with(whole(401, '{"error": {"message": "no", "code": "invalid_api_key"}}'))
    ref = await conversation(house, org, "no-key", give_up_seconds=1)
    await house.post(ref, "Hello")
    events = await house.events(ref)
    assert data(events, "turn.parked", "code")[0] == "provider_rejected"
    assert events[-1].type == "turn.handed_over"


async def test_a_request_that_is_refused_is_explained_at_once(house: House, org: UUID, server: WireServer) -> None:
    server.answer_with(whole(400, '{"error": {"message": "no"}}'))
    ref = await conversation(house, org, "refused")
    await house.post(ref, "Hello")
    events = await house.events(ref)
    assert data(events, "turn.parked", "code") == []
    assert (events[-1].type, events[-1].data["code"]) == ("turn.failed", "provider_rejected")


@pytest.mark.parametrize("choice", ["park", "explain"])
async def test_a_spent_budget_parks_or_explains_as_the_agent_says(
    house: House, org: UUID, temporal_client: Client, choice: str
) -> None:
    async with open_site(house.resources, temporal_client) as site, await site.caller(org) as caller:
        rates = {"provider": "scripted", "model": "scripted", "input": "1", "output": "2", "source": "a test"}
        assert (await caller.post("/v1/model-prices", json=rates)).status_code == 201
        terms = {"scope": "organisation", "period": "day", "limit_micros": 0}
        budget = (await caller.post("/v1/budgets", json=terms)).json()
        talk = await open_conversation(caller, scripted("Paid.") | {"outage": {"budget": choice}})
        assert (await caller.post(f"/v1/conversations/{talk}/messages", json={"text": "Hello"})).status_code == 202
        if choice == "explain":
            assert await ended(caller, talk) == ("failed", "budget_exceeded")
            return
        while (await caller.get(f"/v1/conversations/{talk}")).json()["attention"] != "parked":
            await asyncio.sleep(0.05)
        more = await caller.patch(f"/v1/budgets/{budget['id']}", json={"limit_micros": 10**9})
        assert more.status_code == 200
        retried = await caller.post(f"/v1/conversations/{talk}/retry")
        assert (retried.status_code, retried.json()["code"]) == (202, "budget_exceeded")
        assert await ended(caller, talk) == ("completed", None)


async def ended(caller: httpx2.AsyncClient, conversation: str) -> tuple[str, str | None]:
    async with asyncio.timeout(20):
        while True:
            turns = (await caller.get(f"/v1/conversations/{conversation}/turns")).json()["data"]
            if turns and turns[0]["state"] != "running":
                return turns[0]["state"], turns[0]["error_code"]
            await asyncio.sleep(0.05)
