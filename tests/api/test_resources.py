"""Agents, collections, documents and conversations keep what they are told, page by page."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from tests.api.site import Site
from tests.house import House

SCRIPTED = {"model": {"provider": "scripted", "script": {"text": "hello"}}}


async def pages(caller: httpx2.AsyncClient, path: str, limit: int) -> list[list[dict[str, Any]]]:
    found, cursor = [], None
    while True:
        answer = await caller.get(path, params={"limit": limit} | ({"cursor": cursor} if cursor else {}))
        assert answer.status_code == 200, answer.text
        found.append(answer.json()["data"])
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return found


async def test_lists_come_newest_first_and_whole(caller: httpx2.AsyncClient) -> None:
    names = [f"agent {n}" for n in range(7)]
    for name in names:
        assert (await caller.post("/v1/agents", json={"name": name})).status_code == 201
        assert (await caller.post("/v1/collections", json={"name": name})).status_code == 201
    for path in ("/v1/agents", "/v1/collections"):
        found = await pages(caller, path, 3)
        assert [len(page) for page in found] == [3, 3, 1]
        assert [row["name"] for page in found for row in page] == names[::-1]
    assert [len(page) for page in await pages(caller, "/v1/agents", 7)] == [7]


async def test_a_changed_config_makes_a_version_and_the_same_makes_none(caller: httpx2.AsyncClient) -> None:
    agent = (await caller.post("/v1/agents", json={"name": "a", "config": SCRIPTED})).json()
    path = f"/v1/agents/{agent['id']}"
    same = (await caller.patch(path, json={"config": SCRIPTED, "description": "new words"})).json()
    assert (same["version"], same["version_id"], same["description"]) == (1, agent["version_id"], "new words")
    changed = (await caller.patch(path, json={"config": {"instructions": "Be brief."}})).json()
    assert changed["version"] == 2
    versions = await pages(caller, f"{path}/versions", 1)
    assert [page[0]["number"] for page in versions] == [2, 1]
    first = (await caller.get(f"{path}/versions/1")).json()
    assert first["config"] == agent["config"]
    assert (await caller.get(f"{path}/versions/3")).status_code == 404


async def test_instructions_that_cannot_be_filled_in_are_refused_with_pointer_and_line(
    caller: httpx2.AsyncClient,
) -> None:
    good = {"instructions": "You sell for {{ shop }}.", "variables": [{"name": "shop", "default": "ACME"}]}
    agent = (await caller.post("/v1/agents", json={"name": "a", "config": good})).json()
    assert agent["config"]["variables"] == [{"name": "shop", "description": "", "default": "ACME"}]
    for instructions in ("Be kind.\nYou sell for\n{{ nobody }}.", "a\n\n{{ shop.__class__ }}"):
        refused = await caller.patch(
            f"/v1/agents/{agent['id']}", json={"config": {**good, "instructions": instructions}}
        )
        assert refused.status_code == 422
        place = refused.json()["errors"][0]
        assert (place["pointer"], place["line"], place["code"]) == ("/config/instructions", 3, "prompt_template")
    taken = await caller.post("/v1/agents", json={"name": "b", "config": {"variables": [{"name": "today"}]}})
    assert taken.json()["errors"][0]["pointer"] == "/config/variables/0/name"
    assert (await caller.get(f"/v1/agents/{agent['id']}")).json()["version"] == 1


async def test_a_conversation_keeps_the_version_it_began_with(caller: httpx2.AsyncClient) -> None:
    agent = (await caller.post("/v1/agents", json={"name": "a", "config": SCRIPTED})).json()
    begun = (await caller.post("/v1/conversations", json={"agent_id": agent["id"]})).json()
    await caller.patch(f"/v1/agents/{agent['id']}", json={"config": {}})
    kept = (await caller.get(f"/v1/conversations/{begun['id']}")).json()
    assert kept["agent_version_id"] == agent["version_id"]


async def test_names_are_taken_once_and_freed_by_archiving(caller: httpx2.AsyncClient) -> None:
    agent = (await caller.post("/v1/agents", json={"name": "a"})).json()
    other = (await caller.post("/v1/agents", json={"name": "b"})).json()
    for refused in (
        await caller.post("/v1/agents", json={"name": "a"}),
        await caller.patch(f"/v1/agents/{other['id']}", json={"name": "a"}),
    ):
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (409, "/name")
    assert (await caller.delete(f"/v1/agents/{agent['id']}")).status_code == 204
    assert (await caller.patch(f"/v1/agents/{other['id']}", json={"name": "a"})).status_code == 200
    assert (await caller.get(f"/v1/agents/{agent['id']}")).json()["archived_at"] is not None
    assert [row["id"] for row in (await caller.get("/v1/agents")).json()["data"]] == [other["id"]]
    assert len((await caller.get("/v1/agents?archived=true")).json()["data"]) == 2
    begun = await caller.post("/v1/conversations", json={"agent_id": agent["id"]})
    assert (begun.status_code, begun.json()["errors"][0]["pointer"]) == (409, "/agent_id")


async def test_an_agent_names_only_collections_there_are(
    caller: httpx2.AsyncClient, outsider: httpx2.AsyncClient
) -> None:
    mine = (await caller.post("/v1/collections", json={"name": "a"})).json()["id"]
    theirs = (await outsider.post("/v1/collections", json={"name": "a"})).json()["id"]
    good = await caller.post("/v1/agents", json={"name": "a", "config": {"collections": [mine]}})
    assert good.status_code == 201
    for bad in (theirs, str(uuid4())):
        response = await caller.post("/v1/agents", json={"name": "b", "config": {"collections": [mine, bad]}})
        assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, "/config/collections/1")


async def test_labels_and_filters(caller: httpx2.AsyncClient) -> None:
    one = (await caller.post("/v1/agents", json={"name": "a"})).json()["id"]
    two = (await caller.post("/v1/agents", json={"name": "b"})).json()["id"]
    body = {"agent_id": one, "title": "T", "labels": {"customer": "42"}}
    made = (await caller.post("/v1/conversations", json=body)).json()
    await caller.post("/v1/conversations", json={"agent_id": two})
    assert (made["labels"], made["title"], made["state"]) == ({"customer": "42"}, "T", "open")
    found = (await caller.get("/v1/conversations", params={"agent_id": one})).json()["data"]
    assert [row["id"] for row in found] == [made["id"]]
    assert (await caller.get("/v1/conversations?state=closed")).json()["data"] == []
    assert (await caller.get(f"/v1/conversations/{made['id']}/messages")).json() == {"data": [], "next_cursor": None}
    assert (await caller.get(f"/v1/conversations/{made['id']}/events")).json() == {"data": [], "next_after": 0}


@pytest.mark.parametrize(
    ("name", "data", "status"),
    [
        ("empty.md", b"", 422),
        ("blank.txt", b" \n\t ", 422),
        ("program.exe", b"MZ\x90\x00\x03\x00\x00\x00123", 422),
        ("fake.pdf", b"no pdf", 422),
        ("large.txt", b"x" * 2_000_001, 413),
        ("huge.txt", b"x" * 2_200_000, 413),
    ],
)
async def test_what_cannot_be_read_is_refused_before_anything_is_kept(
    caller: httpx2.AsyncClient, name: str, data: bytes, status: int
) -> None:
    path = f"/v1/collections/{(await caller.post('/v1/collections', json={'name': 'c'})).json()['id']}/documents"
    response = await caller.post(path, files={"file": (name, data)})
    assert response.status_code == status, response.text
    assert (await caller.get(path)).json()["data"] == []


async def test_an_upload_without_a_file_is_pointed_at(caller: httpx2.AsyncClient) -> None:
    path = f"/v1/collections/{(await caller.post('/v1/collections', json={'name': 'c'})).json()['id']}/documents"
    response = await caller.post(path, data={"title": "x"})
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (422, "/file")
    for rubbish in (
        b"--x\r\nrubbish",
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a\0b.txt"\r\n\r\ntext\r\n--x--\r\n',
        b'--x\r\nContent-Disposition: form-data; name="file"; filename=""\r\n\r\ntext\r\n--x--\r\n',
    ):
        broken = await caller.post(path, content=rubbish, headers={"Content-Type": "multipart/form-data; boundary=x"})
        assert broken.status_code in (400, 422), broken.text


async def test_a_document_is_ingested_found_downloaded_and_gone(
    caller: httpx2.AsyncClient, workers: House, site: Site, org: UUID
) -> None:
    collection = (await caller.post("/v1/collections", json={"name": "c"})).json()["id"]
    text = b"# Returns\n\nYou may return an item within thirty days.\n\n# Shipping\n\nWe ship on weekdays.\n"
    path = f"/v1/collections/{collection}/documents"
    headers = {"Idempotency-Key": "up"}
    uploaded = await caller.post(path, files={"file": ("Ünïcode shop.md", text)}, headers=headers)
    assert uploaded.status_code == 202, uploaded.text
    again = await caller.post(path, files={"file": ("Ünïcode shop.md", text)}, headers=headers)
    assert again.headers["idempotency-replayed"] == "true"
    twin = await caller.post(path, files={"file": ("copy.md", text)})
    document = uploaded.json()["id"]
    assert {again.json()["id"], twin.json()["id"]} == {document}
    done = await wait_for(caller, f"/v1/documents/{document}", "ready")
    assert done["passages"] == done["passages_done"] > 0
    found = await caller.post(f"/v1/collections/{collection}/search", json={"query": "how long may I return something"})
    best = found.json()["data"][0]
    assert "thirty days" in best["text"]
    assert best["document_id"] == document
    assert {"dense", "keyword", "fused", "reranked"} <= best["explanation"].keys()
    assert (found.json()["nothing_relevant"], found.json()["reranker"]) == (False, "words")
    elsewhere = {"query": "return", "filters": {"media_types": ["image/"]}, "rerank": "off"}
    none = await caller.post(f"/v1/collections/{collection}/search", json=elsewhere)
    assert (none.json()["data"], none.json()["nothing_relevant"]) == ([], True)
    typed = {"query": "return", "filters": {"media_types": [done["media_type"]]}}
    assert (await caller.post(f"/v1/collections/{collection}/search", json=typed)).json()["data"]
    content = await caller.get(f"/v1/documents/{document}/content")
    assert content.content == text
    assert content.headers["content-disposition"].startswith("attachment")
    retried = await caller.post(f"/v1/documents/{document}/retry")
    assert (retried.status_code, retried.json()["revision"]) == (202, 2)
    await wait_for(caller, f"/v1/documents/{document}", "ready")
    assert (await caller.get(f"/v1/collections/{collection}")).json()["documents"] == {"ready": 1}
    assert (await caller.delete(f"/v1/documents/{document}")).status_code == 204
    assert (await caller.get(f"/v1/documents/{document}/content")).status_code == 404
    gone = await caller.post(f"/v1/collections/{collection}/search", json={"query": "return"})
    assert (gone.json()["data"], gone.json()["nothing_relevant"]) == ([], True)
    assert (await caller.delete(f"/v1/collections/{collection}")).status_code == 204


async def wait_for(caller: httpx2.AsyncClient, path: str, state: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            row: dict[str, Any] = (await caller.get(path)).json()
            if row["state"] == state:
                return row
            assert row["state"] != "failed", row
            await asyncio.sleep(0.1)
