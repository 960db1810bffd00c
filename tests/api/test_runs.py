"""Every workflow of the product can be started, watched and cancelled by its owner."""

import asyncio
from typing import Any

import httpx2
import pytest

from tests.api.talk import ask, open_conversation, scripted

pytestmark = pytest.mark.usefixtures("workers")


async def start(caller: httpx2.AsyncClient, workflow: str, given: dict[str, Any], **headers: str) -> dict[str, Any]:
    response = await caller.post("/v1/runs", json={"workflow": workflow, "input": given}, headers=headers)
    assert response.status_code == 202, response.text
    started: dict[str, Any] = response.json()
    assert response.headers["location"] == f"/v1/runs/{started['id']}"
    return started


async def reach(caller: httpx2.AsyncClient, run: str, status: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            found: dict[str, Any] = (await caller.get(f"/v1/runs/{run}")).json()
            if found["status"] == status:
                return found
            await asyncio.sleep(0.05)


async def agent(caller: httpx2.AsyncClient, **script: Any) -> str:
    made = await caller.post("/v1/agents", json={"name": "a", "config": scripted("one two three", **script)})
    return str(made.json()["id"])


async def test_a_turn_is_run_and_watched(caller: httpx2.AsyncClient) -> None:
    given = {"agent_id": await agent(caller), "text": "Hello"}
    run = await start(caller, "TurnWorkflow", given, **{"Idempotency-Key": "k"})
    assert await start(caller, "TurnWorkflow", given, **{"Idempotency-Key": "k"}) == run
    done = await reach(caller, run["id"], "completed")
    assert (done["workflow"], done["queue"], done["closed_at"] is not None) == ("TurnWorkflow", "turns", True)
    assert done["summary"]
    assert done["state"]["step"]
    assert done["history_length"] > 3
    messages = (await caller.get(f"/v1/conversations/{run['conversation_id']}/messages")).json()["data"]
    assert [row["text"] for row in messages] == ["Hello", "one two three"]
    shown = (await caller.get("/v1/conversations?kind=one_shot")).json()["data"]
    assert [row["id"] for row in shown] == [run["conversation_id"]]
    encoded = await caller.get(f"/v1/runs/{run['id'].replace('/', '%2F')}")
    assert encoded.json()["id"] == run["id"]


async def test_a_conversation_is_a_run_that_tells_of_itself(caller: httpx2.AsyncClient) -> None:
    conversation = await open_conversation(caller, scripted())
    run = await start(caller, "ConversationWorkflow", {"conversation_id": conversation})
    assert run["id"] == f"conversation/{conversation}"
    await ask(caller, conversation, "Hello")
    found = await reach(caller, run["id"], "running")
    assert found["state"]["turns_done"] == 1
    assert "1 turns done" in found["details"]


async def test_a_run_is_cancelled_and_still_explains_itself(caller: httpx2.AsyncClient) -> None:
    run = await start(caller, "TurnWorkflow", {"agent_id": await agent(caller, token_delay_ms=5000), "text": "Hello"})
    events = f"/v1/conversations/{run['conversation_id']}/events"
    assert (await caller.get(events, params={"wait": 20})).json()["data"]
    assert (await caller.post(f"/v1/runs/{run['id']}/cancel")).status_code == 202
    await reach(caller, run["id"], "canceled")
    kinds = [event["type"] for event in (await caller.get(events)).json()["data"]]
    assert kinds[-1] == "turn.failed"
    again = await caller.post(f"/v1/runs/{run['id']}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "conflict")


async def test_runs_are_listed_page_by_page(caller: httpx2.AsyncClient) -> None:
    given = {"agent_id": await agent(caller), "text": "Hello"}
    started = {(await start(caller, "TurnWorkflow", given))["id"] for _ in range(5)}
    for run in started:
        await reach(caller, run, "completed")
    async with asyncio.timeout(30):  # visibility follows a moment later
        while True:
            found, cursor = [], None
            while True:
                params = {"limit": 2, "status": "completed", "workflow": "TurnWorkflow"}
                page = (await caller.get("/v1/runs", params=params | ({"cursor": cursor} if cursor else {}))).json()
                found += [row["id"] for row in page["data"]]
                cursor = page["next_cursor"]
                if cursor is None:
                    break
            if len(found) == 5:
                break
            await asyncio.sleep(0.1)
    assert set(found) == started
    assert (await caller.get("/v1/runs?workflow=IngestWorkflow")).json()["data"] == []


async def test_a_document_is_ingested_again_by_a_run(caller: httpx2.AsyncClient) -> None:
    collection = (await caller.post("/v1/collections", json={"name": "c"})).json()["id"]
    path = f"/v1/collections/{collection}/documents"
    document = (await caller.post(path, files={"file": ("a.md", b"# A\n\nSome words.\n")})).json()["id"]
    run = await start(caller, "IngestWorkflow", {"document_id": document})
    assert run["id"] == f"ingest/{document}"
    await reach(caller, run["id"], "completed")
    found = (await caller.get(f"/v1/documents/{document}")).json()
    assert (found["state"], found["revision"]) == ("ready", 2)


async def test_only_known_workflows_are_started(caller: httpx2.AsyncClient) -> None:
    for body in ({"workflow": "Nonsense", "input": {}}, {"workflow": "TurnWorkflow", "input": {}}, {}):
        assert (await caller.post("/v1/runs", json=body)).status_code == 422
    assert (await caller.get("/v1/runs/nonsense/of/ours")).status_code == 404
