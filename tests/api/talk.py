"""A conversation with a scripted agent, as a client sees it."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2


def scripted(text: str = "This is a scripted reply.", **script: Any) -> dict[str, Any]:
    return {"model": {"provider": "scripted", "script": {"text": text, **script}}}


async def open_conversation(caller: httpx2.AsyncClient, config: dict[str, Any]) -> str:
    agents = len((await caller.get("/v1/agents?limit=200")).json()["data"])
    agent = (await caller.post("/v1/agents", json={"name": f"agent {agents}", "config": config})).json()
    made = await caller.post("/v1/conversations", json={"agent_id": agent["id"]})
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def read_sse(response: httpx2.Response) -> AsyncIterator[tuple[str | None, str, dict[str, Any]]]:
    """(id, event, data) of each event."""
    identity, name = None, "message"
    async for line in response.aiter_lines():
        if line.startswith("id: "):
            identity = line[4:]
        elif line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            yield identity, name, json.loads(line[6:])
            identity, name = None, "message"


async def ask(
    caller: httpx2.AsyncClient, conversation: str, text: str, **headers: str
) -> list[tuple[str | None, str, dict[str, Any]]]:
    """Post a message and read its answer to the end."""
    path = f"/v1/conversations/{conversation}/messages"
    given = {"Accept": "text/event-stream", **headers}
    async with caller.stream("POST", path, json={"text": text}, headers=given) as response:
        assert response.status_code == 200, await response.aread()
        return [event async for event in read_sse(response)]


def rebuild(events: list[dict[str, Any]]) -> str:
    text = ""
    for event in events:
        if event["type"] == "reply.delta":
            text = text[: event["at"]] + event["text"]
        elif event["type"] == "reply.rewind":
            text = text[: event["to"]]
    return text
