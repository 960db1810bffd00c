"""Sources through the door: several files and archives become documents, and a repeated request is one source."""

import asyncio
from typing import Any

import httpx2
import pytest

from tests.knowledge.test_archives import tarred, zipped

pytestmark = pytest.mark.usefixtures("workers")


async def collection(caller: httpx2.AsyncClient) -> str:
    return str((await caller.post("/v1/collections", json={"name": "c"})).json()["id"])


async def ended(caller: httpx2.AsyncClient, source: dict[str, Any]) -> dict[str, Any]:
    while True:
        row: dict[str, Any] = (await caller.get(f"/v1/sources/{source['id']}")).json()
        if row["state"] in {"ready", "failed"} and not row["documents"].keys() - {"ready", "failed"}:
            return row
        await asyncio.sleep(0.1)


async def test_files_and_archives_of_one_request_become_documents(caller: httpx2.AsyncClient) -> None:
    place = f"/v1/collections/{await collection(caller)}"
    files = [
        ("files", ("one.md", b"# One\n\nFirst words.")),
        ("files", ("more.zip", zipped({"a/two.md": b"# Two\n\nSecond words.", "../three.md": b"x"}))),
        ("files", ("most.tar.gz", tarred({"four.md": b"# Four\n\nFourth words."}))),
    ]
    made = await caller.post(f"{place}/archives", files=files, headers={"Idempotency-Key": "k1"})
    again = await caller.post(f"{place}/archives", files=files, headers={"Idempotency-Key": "k1"})
    assert (made.status_code, again.json()["id"]) == (202, made.json()["id"])
    row = await ended(caller, made.json())
    assert (row["state"], row["items"], row["documents"]) == ("ready", {"stored": 3, "skipped": 1}, {"ready": 3})
    names = {d["filename"] for d in (await caller.get(f"{place}/documents")).json()["data"]}
    assert names == {"one.md", "more.zip/a/two.md", "most.tar.gz/four.md"}
    items = (await caller.get(f"/v1/sources/{row['id']}/items?state=skipped")).json()["data"]
    assert "out of the archive" in items[0]["detail"]
    assert (await caller.post(f"/v1/sources/{row['id']}/refresh")).status_code == 409
    assert (await caller.delete(f"/v1/sources/{row['id']}?documents_too=true")).status_code == 204
    assert (await caller.get(f"{place}/documents")).json()["data"] == []


async def test_a_schedule_comes_and_goes_with_its_source(caller: httpx2.AsyncClient) -> None:
    place = f"/v1/collections/{await collection(caller)}/sources"
    made = await caller.post(place, json={"kind": "url", "url": "http://127.0.0.1:9/x", "refresh_minutes": 60})
    assert made.status_code == 202, made.text
    row = await ended(caller, made.json())
    assert (row["state"], row["error_code"]) == ("failed", "source_refused")
    assert [s["id"] for s in (await caller.get(place)).json()["data"]] == [row["id"]]
    assert (await caller.delete(f"/v1/sources/{row['id']}")).status_code == 204
    assert (await caller.get(f"/v1/sources/{row['id']}")).status_code == 404


@pytest.mark.parametrize("body", [{"kind": "url", "url": "ftp://x/"}, {"kind": "moon"}, {"kind": "url"}])
async def test_what_is_no_source_is_refused(caller: httpx2.AsyncClient, body: dict[str, Any]) -> None:
    response = await caller.post(f"/v1/collections/{await collection(caller)}/sources", json=body)
    assert response.status_code == 422
