"""A document may be replaced, cancelled, tried again and followed; a search finds one whole content of it."""

import json
from typing import Any
from uuid import UUID

import httpx2
import pytest

from sdk.client import Everturn
from tests.api.site import Site
from tests.api.test_resources import wait_for

OLD = b"# Prices\n\nApples cost two crowns.\n\n# Opening\n\nWe open at eight.\n"
NEW = b"# Prices\n\nApples cost five crowns.\n\n# Opening\n\nWe open at eight.\n"


async def upload(caller: httpx2.AsyncClient, data: bytes, name: str = "shop.md", **form: str) -> tuple[str, Any]:
    """The collection's path and the document's row, ready."""
    made = (await caller.post("/v1/collections", json={"name": f"c{hash(data + name.encode())}"})).json()
    path = f"/v1/collections/{made['id']}"
    document = (await caller.post(f"{path}/documents", files={"file": (name, data)}, data=form)).json()
    return path, await wait_for(caller, f"/v1/documents/{document['id']}", "ready")


async def found(caller: httpx2.AsyncClient, path: str, question: str) -> list[str]:
    answer = (await caller.post(f"{path}/search", json={"query": question})).json()
    return [passage["text"] for passage in answer["data"]]


@pytest.mark.usefixtures("workers")
async def test_new_content_takes_the_place_of_the_old_and_both_originals_stay(caller: httpx2.AsyncClient) -> None:
    path, document = await upload(caller, OLD)
    url = f"/v1/documents/{document['id']}"
    replaced = await caller.put(f"{url}/content", files={"file": ("shop-2.md", NEW)})
    assert replaced.status_code == 202, replaced.text
    assert (replaced.json()["version"], replaced.json()["revision"]) == (2, 2)
    await wait_for(caller, url, "ready")
    assert "Apples cost five crowns." in await found(caller, path, "What do apples cost?")
    assert "Apples cost two crowns." not in await found(caller, path, "What do apples cost?")
    versions = (await caller.get(f"{url}/versions")).json()["data"]
    assert [(v["number"], v["state"], v["filename"]) for v in versions] == [
        (2, "current", "shop-2.md"),
        (1, "replaced", "shop.md"),
    ]
    since = [v["published_at"] for v in versions]
    assert since[0] > since[1] > document["created_at"], "so a citation can be opened in the version it quotes"
    assert (await caller.get(f"{url}/versions/1/content")).content == OLD
    assert (await caller.get(f"{url}/content")).content == NEW
    assert (await caller.get(f"{url}/versions/3/content")).status_code == 404


@pytest.mark.usefixtures("workers")
async def test_the_same_file_name_replaces_when_asked_to_and_the_same_bytes_are_free(
    caller: httpx2.AsyncClient,
) -> None:
    path, document = await upload(caller, OLD, "menu.md")
    form = {"replace": "true"}
    second = (await caller.post(f"{path}/documents", files={"file": ("menu.md", NEW)}, data=form)).json()
    assert (second["id"], second["version"]) == (document["id"], 2)
    await wait_for(caller, f"/v1/documents/{document['id']}", "ready")
    again = (await caller.post(f"{path}/documents", files={"file": ("menu.md", NEW)}, data=form)).json()
    assert (again["version"], again["revision"], again["state"]) == (2, 2, "ready")
    other = (await caller.post(f"{path}/documents", files={"file": ("other.md", OLD)}, data=form)).json()
    assert other["id"] != document["id"], "no document of that name yet"
    taken = await caller.put(f"/v1/documents/{document['id']}/content", files={"file": ("menu.md", OLD)})
    assert taken.status_code == 409


@pytest.mark.usefixtures("workers")
async def test_content_that_cannot_be_read_leaves_what_was_searchable(caller: httpx2.AsyncClient) -> None:
    path, document = await upload(caller, OLD, "kept.md")
    url = f"/v1/documents/{document['id']}"
    await caller.put(f"{url}/content", files={"file": ("kept.pdf", b"%PDF-1.4 broken")})
    await wait_for(caller, url, "failed")
    assert "Apples cost two crowns." in await found(caller, path, "What do apples cost?")
    versions = (await caller.get(f"{url}/versions")).json()["data"]
    assert [v["state"] for v in versions] == ["failed", "current"]
    assert versions[0]["published_at"] is None
    assert (await caller.put(f"{url}/content", files={"file": ("kept.md", NEW)})).json()["version"] == 3
    await wait_for(caller, url, "ready")
    assert [v["state"] for v in (await caller.get(f"{url}/versions")).json()["data"]] == [
        "current",
        "failed",
        "replaced",
    ]


@pytest.mark.usefixtures("workers")
async def test_progress_is_told_until_the_document_is_ready(site: Site, org: UUID, caller: httpx2.AsyncClient) -> None:
    collection = (await caller.post("/v1/collections", json={"name": "live"})).json()["id"]
    book = b"".join(b"# Chapter %d\n\nThe answer to riddle %d is %d.\n\n" % (n, n, n * n) for n in range(130))
    document = (await caller.post(f"/v1/collections/{collection}/documents", files={"file": ("book.md", book)})).json()
    async with caller.sse(f"/v1/documents/{document['id']}/events") as source:
        events = [(message.event, json.loads(message.data)) async for message in source]
    assert [name for name, _ in events[:-1]] == ["progress"] * (len(events) - 1)
    assert events[-1][0] == "ready"
    assert events[-1][1]["passages_done"] == events[-1][1]["passages"] == 130
    done = [row["passages_done"] for _, row in events]
    assert done == sorted(done)
    async with Everturn(site.url, await site.key(org)) as client:
        rows = [row async for row in client.document_progress(document["id"])]
    assert [row["state"] for row in rows] == ["ready"]


async def test_a_cancelled_document_is_failed_and_may_be_tried_again(caller: httpx2.AsyncClient) -> None:
    """Without a worker: it is queued for as long as nobody takes it."""
    collection = (await caller.post("/v1/collections", json={"name": "stopped"})).json()["id"]
    document = (
        await caller.post(f"/v1/collections/{collection}/documents", files={"file": ("a.md", b"# A\n\nSome text.")})
    ).json()
    url = f"/v1/documents/{document['id']}"
    key = {"Idempotency-Key": "cancel-once"}
    cancelled = await caller.post(f"{url}/cancel", headers=key)
    if cancelled.status_code == 409:  # a worker of the other tests was faster
        return
    assert (cancelled.json()["state"], cancelled.json()["error_code"]) == ("failed", "cancelled")
    assert (await caller.post(f"{url}/cancel")).status_code == 409, "nothing is on its way"
    retried = (await caller.post(f"{url}/retry")).json()
    assert retried["revision"] == document["revision"] + 2
    assert (await caller.post(f"{url}/cancel", headers=key)).json() == cancelled.json(), "a repeat stops nothing new"
    assert (await caller.get(url)).json()["error_code"] is None


@pytest.mark.usefixtures("workers")
async def test_pages_without_pictures_are_not_recognised_again(caller: httpx2.AsyncClient) -> None:
    _, document = await upload(caller, OLD, "pageless.md")
    url = f"/v1/documents/{document['id']}"
    assert (await caller.get(f"{url}/pages")).json() == {"data": [], "next_cursor": None}
    assert (await caller.post(f"{url}/pages/1/retry")).status_code == 404
