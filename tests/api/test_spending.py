"""What was spent can be asked by anything a call knows; a budget stops calls before they are made; prices are dated."""

import asyncio
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import httpx2

from contracts.turn import Usage
from db.engine import Database
from domain.models.call import CallPlace, ModelCall, Settled
from domain.models.ledger import Ledger
from tests.api.site import Site
from tests.api.talk import ask, open_conversation, scripted
from tests.house import House

DAILY = {"scope": "organisation", "period": "day", "limit_micros": 1000}


async def pay(ledger: Ledger, org: UUID, cost: int, *, agent: UUID | None = None, model: str = "gpt-4o-mini") -> None:
    call = ModelCall(CallPlace(org, str(uuid4()), "reply", agent_id=agent), 1, "openai", model)
    await ledger.reserve(call, cost)
    usage = Usage(input_tokens=10 * cost, output_tokens=cost)
    await ledger.settle(call, Settled("answered", usage, cost, latency_ms=1))


async def spend(caller: httpx2.AsyncClient, **query: Any) -> dict[str, Any]:
    answer = await caller.get("/v1/spend", params=query)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_spending_is_summed_by_whatever_is_asked(site: Site, org: UUID, caller: httpx2.AsyncClient) -> None:
    ledger = Ledger(site.database, site.resources.prices)
    one, other = uuid4(), uuid4()
    for cost, agent, model in ((5, one, "gpt-4o-mini"), (7, one, "nobody-knows"), (100, other, "gpt-4o-mini")):
        await pay(ledger, org, cost, agent=agent, model=model)
    told = await spend(caller, group_by=["agent", "model"])
    assert (told["total"]["cost_micros"], told["total"]["calls"], told["total"]["unpriced_calls"]) == (112, 3, 1)
    assert [(group["by"], group["cost_micros"]) for group in told["groups"]] == [
        ({"agent": str(other), "model": "gpt-4o-mini"}, 100),
        ({"agent": str(one), "model": "nobody-knows"}, 7),
        ({"agent": str(one), "model": "gpt-4o-mini"}, 5),
    ]
    only = await spend(caller, agent_id=str(one), group_by="day")
    assert (only["total"]["input_tokens"], [group["output_tokens"] for group in only["groups"]]) == (120, [12])
    past = await spend(caller, since="2020-01-01", before="2020-02-01", group_by="provider")
    assert (past["total"]["cost_micros"], past["groups"]) == (0, [])
    backwards = await caller.get("/v1/spend", params={"since": "2020-02-01", "before": "2020-02-01"})
    assert backwards.status_code == 422


async def test_a_budget_says_what_is_used_of_it_and_when_it_is_spent(
    site: Site, org: UUID, caller: httpx2.AsyncClient
) -> None:
    ledger = Ledger(site.database, site.resources.prices)
    await pay(ledger, org, 100)
    made = await caller.post("/v1/budgets", json=DAILY)
    assert (made.status_code, made.json()["spent_micros"], made.json()["state"]) == (201, 100, "open")
    assert (await caller.post("/v1/budgets", json=DAILY)).status_code == 409
    await pay(ledger, org, 700)
    path = made.headers["location"]
    assert (await caller.get(path)).json()["state"] == "warned"
    changed = (await caller.patch(path, json={"limit_micros": 5000})).json()
    assert (changed["state"], changed["warned_at"], changed["warn_percent"]) == ("open", None, 80)
    assert (await caller.patch(path, json={"limit_micros": 800, "warn_percent": None})).json()["state"] == "exhausted"
    assert [row["id"] for row in (await caller.get("/v1/budgets")).json()["data"]] == [made.json()["id"]]
    assert (await caller.delete(path)).status_code == 204
    assert (await caller.get(path)).status_code == 404


async def test_a_budget_is_for_an_agent_or_a_key_that_is_there(caller: httpx2.AsyncClient) -> None:
    agent = (await caller.post("/v1/agents", json={"name": "a"})).json()["id"]
    monthly = {"scope": "agent", "period": "month", "limit_micros": 5}
    assert (await caller.post("/v1/budgets", json=monthly | {"scope_id": agent})).status_code == 201
    assert (await caller.post("/v1/budgets", json=monthly | {"scope_id": str(uuid4())})).status_code == 404
    assert (await caller.post("/v1/budgets", json=monthly)).status_code == 422
    key = monthly | {"scope": "api_key", "scope_id": agent}
    assert (await caller.post("/v1/budgets", json=key)).status_code == 404


async def test_a_price_of_ones_own_comes_before_the_packaged_one(caller: httpx2.AsyncClient) -> None:
    def current(model: str) -> Any:
        return caller.get("/v1/model-prices/current", params={"provider": "extractive", "model": model})

    assert (await current("m")).json()["source"] == "free"
    unknown = await caller.get("/v1/model-prices/current", params={"provider": "nobody", "model": "m"})
    assert unknown.json()["source"] == "unknown"
    rates = {"provider": "nobody", "model": "m", "input": "0.15", "output": "0.6", "source": "contract"}
    made = await caller.post("/v1/model-prices", json=rates)
    assert made.status_code == 201, made.text
    rows = (await caller.get("/v1/model-prices")).json()["data"]
    assert [(row["source"], Decimal(row["input"]), row["cached_input"]) for row in rows] == [
        ("contract", Decimal("0.15"), None)
    ]
    assert (await caller.delete(f"/v1/model-prices/{made.json()['id']}")).status_code == 204
    assert (await caller.get("/v1/model-prices")).json()["data"] == []


async def test_what_a_turn_costs_is_booked_on_its_agent_its_key_and_its_conversation(
    workers: House, caller: httpx2.AsyncClient
) -> None:
    conversation = await open_conversation(caller, scripted("Hello to you"))
    await ask(caller, conversation, "Hello")
    told = await spend(caller, group_by=["agent", "api_key", "conversation", "outcome"])
    key = (await caller.get("/v1/api-keys")).json()["data"][0]["id"]
    agent = (await caller.get(f"/v1/conversations/{conversation}")).json()["agent_id"]
    by = {"agent": agent, "api_key": key, "conversation": conversation, "outcome": "answered"}
    assert [(group["by"], group["calls"], group["open_calls"]) for group in told["groups"]] == [(by, 1, 0)]


async def test_a_key_whose_budget_is_spent_gets_an_explanation_and_no_call_is_made(
    workers: House, site: Site, org: UUID, caller: httpx2.AsyncClient, database: Database
) -> None:
    conversation = await open_conversation(caller, scripted("Hello to you"))
    key = (await caller.get("/v1/api-keys")).json()["data"][0]["id"]
    await asyncio.gather(*(pay(Ledger(site.database, site.resources.prices), org, 10) for _ in range(3)))
    limit = {"scope": "organisation", "period": "month", "limit_micros": 29}
    budget = (await caller.post("/v1/budgets", json=limit)).json()
    await caller.post("/v1/budgets", json={"scope": "api_key", "scope_id": key, "period": "day", "limit_micros": 0})
    assert budget["state"] == "exhausted"
    await ask(caller, conversation, "Hello")
    turns = (await caller.get(f"/v1/conversations/{conversation}/turns")).json()["data"]
    assert (turns[0]["state"], turns[0]["error_code"]) == ("failed", "budget_exceeded")
    assert (await caller.get(f"/v1/budgets/{budget['id']}")).json()["refused"] == 1
    assert (await spend(caller, conversation_id=conversation))["total"]["calls"] == 0
