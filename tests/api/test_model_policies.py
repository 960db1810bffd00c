"""Policies are versions that stay; the most particular is in force; who would be asked, and why not, can be read."""

from typing import Any
from uuid import uuid4

import httpx2

from db.engine import Database
from domain.errors import ProviderUnavailable
from domain.models.breaker import Breakers

LOCAL = {"tasks": {"reply": [{"provider": "extractive"}, {"provider": "nobody", "model": "x"}]}}


async def make_agent(caller: httpx2.AsyncClient, **model: Any) -> str:
    made = await caller.post("/v1/agents", json={"name": f"a-{uuid4()}", "config": {"model": model}})
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def choice(caller: httpx2.AsyncClient, agent: str, **query: Any) -> dict[str, Any]:
    answer = await caller.get(f"/v1/agents/{agent}/model-choice", params=query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_the_most_particular_policy_is_in_force(caller: httpx2.AsyncClient) -> None:
    plain, named = await make_agent(caller), await make_agent(caller, provider="scripted")
    assert (await choice(caller, plain))["origin"] == "default"
    assert (await caller.post("/v1/model-policies", json={"policy": LOCAL})).status_code == 201
    assert (await choice(caller, plain))["origin"] == "organisation policy 1"
    found = await choice(caller, named)
    assert (found["origin"], [each["provider"] for each in found["candidates"]]) == ("agent", ["scripted"])
    assert (await caller.post("/v1/model-policies", json={"policy": LOCAL, "agent_id": named})).status_code == 201
    assert (await choice(caller, named))["origin"] == "agent policy 1"


async def test_every_version_stays_and_an_empty_one_takes_back(caller: httpx2.AsyncClient) -> None:
    agent = await make_agent(caller)
    first = (await caller.post("/v1/model-policies", json={"policy": LOCAL, "note": "first"})).json()
    second = (await caller.post("/v1/model-policies", json={"policy": {}, "note": "none"})).json()
    assert (first["number"], second["number"], first["policy"]["queue_seconds"]) == (1, 2, 20)
    page = (await caller.get("/v1/model-policies", params={"limit": 1})).json()
    assert [row["note"] for row in page["data"]] == ["none"]
    rest = (await caller.get("/v1/model-policies", params={"cursor": page["next_cursor"]})).json()
    assert rest["data"] == [first]
    assert (await choice(caller, agent))["origin"] == "default"


async def test_the_choice_says_why_not(caller: httpx2.AsyncClient) -> None:
    agent = await make_agent(caller)
    await caller.post("/v1/model-policies", json={"policy": LOCAL, "agent_id": agent})
    found = await choice(caller, agent, task="judge", capability=["tools"], tier="gold")
    assert found["candidates"] == []
    assert {each["provider"]: each["why"] for each in found["passed_over"]} == {
        "extractive": "capability",
        "nobody": "not_configured",
    }
    assert "judge" in found["because"]


async def test_what_no_policy_can_be_is_refused_at_its_place(caller: httpx2.AsyncClient) -> None:
    for policy, pointer in (
        ({"tasks": {"reply": []}}, "/policy/tasks/reply"),
        ({"tasks": {"sing": [{"provider": "openai"}]}}, "/policy/tasks/sing"),
        ({"tasks": {"reply": [{"provider": "openai", "modle": "x"}]}}, "/policy/tasks/reply/0/modle"),
        ({"hedge_after_ms": 1}, "/policy/hedge_after_ms"),
    ):
        answer = await caller.post("/v1/model-policies", json={"policy": policy})
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["pointer"].startswith(pointer)


async def test_another_organisation_has_policies_of_its_own(
    caller: httpx2.AsyncClient, outsider: httpx2.AsyncClient
) -> None:
    agent = await make_agent(caller)
    await caller.post("/v1/model-policies", json={"policy": LOCAL})
    assert (await outsider.get("/v1/model-policies")).json()["data"] == []
    assert (await outsider.get("/v1/model-policies", params={"agent_id": agent})).status_code == 404
    assert (await outsider.post("/v1/model-policies", json={"policy": LOCAL, "agent_id": agent})).status_code == 404
    assert (await outsider.get(f"/v1/agents/{agent}/model-choice")).status_code == 404


async def test_models_that_are_not_well_are_listed(caller: httpx2.AsyncClient, database: Database) -> None:
    breakers, model = Breakers(database), f"m-{uuid4()}"
    await breakers.failed("acme", model, ProviderUnavailable("slow down", kind="rate", retry_after=60))
    await breakers.close()
    listed = (await caller.get("/v1/model-health")).json()["data"]
    row = next(each for each in listed if each["model"] == model)
    assert (row["provider"], row["state"], row["failure"], row["detail"]) == ("acme", "open", "rate", "slow down")
