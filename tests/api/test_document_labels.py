"""Labels are given with a file or a source, shown, listed by, changed at once, and narrow searches and agents."""

import io
import json
import zipfile
from typing import Any

import httpx2
import pytest

from tests.api.talk import ask, open_conversation
from tests.api.test_document_life import NEW, OLD, found, upload
from tests.api.test_resources import wait_for

pytestmark = pytest.mark.usefixtures("workers")


async def narrowed(caller: httpx2.AsyncClient, path: str, **labels: list[str]) -> list[str]:
    body = {"query": "What do apples cost?", "filters": {"labels": labels}}
    answer = await caller.post(f"{path}/search", json=body)
    assert answer.status_code == 200, answer.text
    return [passage["text"] for passage in answer.json()["data"]]


async def test_labels_of_an_upload_are_shown_listed_by_searched_by_and_changed_at_once(
    caller: httpx2.AsyncClient,
) -> None:
    path, document = await upload(caller, OLD, labels=json.dumps({"plan": "premium", "product": "fruit"}))
    assert document["labels"] == {"plan": "premium", "product": "fruit"}
    assert await narrowed(caller, path, plan=["basic", "premium"], product=["fruit"])
    assert await narrowed(caller, path, plan=["basic"]) == []

    async def listed(query: str) -> list[str]:
        return [row["id"] for row in (await caller.get(f"{path}/documents?{query}")).json()["data"]]

    assert await listed("label=plan=premium&label=plan=basic&label=product=fruit") == [document["id"]]
    assert await listed("label=plan=premium&label=product=meat") == []
    url = f"/v1/documents/{document['id']}"
    changed = await caller.patch(url, json={"labels": {"plan": "basic"}})
    assert (changed.status_code, changed.json()["labels"]) == (200, {"plan": "basic"})
    assert (changed.json()["state"], changed.json()["revision"]) == ("ready", 1)
    assert await narrowed(caller, path, plan=["basic"])
    assert await narrowed(caller, path, plan=["premium"]) == []
    assert await narrowed(caller, path, product=["fruit"]) == [], "labels take the place of all it had"
    assert await listed("label=plan=basic") == [document["id"]]


async def test_labels_outlive_new_content_and_the_same_bytes_unless_others_are_given(
    caller: httpx2.AsyncClient,
) -> None:
    path, document = await upload(caller, OLD, "twice.md", labels='{"plan": "premium"}')
    url = f"/v1/documents/{document['id']}"
    await caller.put(f"{url}/content", files={"file": ("twice.md", NEW)})
    assert (await wait_for(caller, url, "ready"))["labels"] == {"plan": "premium"}
    assert "Apples cost five crowns." in await narrowed(caller, path, plan=["premium"])
    await caller.put(f"{url}/content", files={"file": ("twice.md", OLD)}, data={"labels": '{"plan": "basic"}'})
    assert (await wait_for(caller, url, "ready"))["labels"] == {"plan": "basic"}
    assert "Apples cost two crowns." in await narrowed(caller, path, plan=["basic"])
    again = {"files": {"file": ("twice.md", OLD)}}
    assert (await caller.post(f"{path}/documents", **again)).json()["labels"] == {"plan": "basic"}  # type: ignore[arg-type]
    other = await caller.post(f"{path}/documents", **again, data={"labels": "{}"})  # type: ignore[arg-type]
    assert (other.json()["id"], other.json()["labels"]) == (document["id"], {})
    assert await narrowed(caller, path, plan=["basic"]) == []
    assert await found(caller, path, "What do apples cost?")


async def test_an_archive_gives_its_labels_to_all_that_is_in_it(caller: httpx2.AsyncClient) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.md", OLD)
        archive.writestr("b.md", b"# Pears\n\nPears cost three crowns.\n")
    made = (await caller.post("/v1/collections", json={"name": "packed"})).json()
    path = f"/v1/collections/{made['id']}"
    form = {"labels": '{"product": "fruit"}'}
    answer = await caller.post(f"{path}/archives", files={"files": ("all.zip", packed.getvalue())}, data=form)
    assert answer.json()["labels"] == {"product": "fruit"}
    await wait_for(caller, f"/v1/sources/{answer.json()['id']}", "ready")
    rows = (await caller.get(f"{path}/documents?label=product=fruit")).json()["data"]
    assert {row["filename"] for row in rows} == {"all.zip/a.md", "all.zip/b.md"}
    for row in rows:
        await wait_for(caller, f"/v1/documents/{row['id']}", "ready")
    assert len(await narrowed(caller, path, product=["fruit"])) == 3
    website = {"kind": "url", "url": "http://127.0.0.1:9/", "labels": {"plan": "basic"}}
    source = (await caller.post(f"{path}/sources", json=website)).json()
    assert source["labels"] == {"plan": "basic"}
    assert "labels" not in source["config"]


async def test_the_same_labels_in_another_organisation_find_nothing_of_this_one(
    caller: httpx2.AsyncClient, outsider: httpx2.AsyncClient
) -> None:
    path, document = await upload(caller, OLD, "mine.md", labels='{"plan": "premium"}')
    their_path, _ = await upload(outsider, NEW, "theirs.md", labels='{"plan": "premium"}')
    assert await narrowed(outsider, their_path, plan=["premium"])
    assert "Apples cost two crowns." not in await narrowed(outsider, their_path, plan=["premium"])
    assert (await outsider.get(f"{path}/documents?label=plan=premium")).status_code == 404
    stolen = await outsider.patch(f"/v1/documents/{document['id']}", json={"labels": {"plan": "stolen"}})
    assert stolen.status_code == 404
    assert (await caller.get(f"/v1/documents/{document['id']}")).json()["labels"] == {"plan": "premium"}


async def test_faults_in_labels_have_a_place(caller: httpx2.AsyncClient) -> None:
    path, document = await upload(caller, OLD, "faults.md")

    def place(answer: httpx2.Response) -> Any:
        assert answer.status_code == 422, answer.text
        [error] = answer.json()["errors"]
        return error.get("pointer") or error["parameter"]

    url = f"/v1/documents/{document['id']}"
    assert place(await caller.patch(url, json={"labels": {"Plan": "a"}})) == "/labels/Plan"
    assert place(await caller.patch(url, json={"labels": {"plan": "x" * 201}})) == "/labels/plan"
    assert place(await caller.patch(url, json={})) == "/labels"
    for data, pointer in (("no", "/labels"), ('{"Plan": "a"}', "/labels/Plan")):
        file = {"file": ("f.md", NEW)}
        assert place(await caller.post(f"{path}/documents", files=file, data={"labels": data})) == pointer
        assert place(await caller.put(f"{url}/content", files=file, data={"labels": data})) == pointer
        answer = await caller.post(f"{path}/archives", files={"files": ("f.md", NEW)}, data={"labels": data})
        assert place(answer) == pointer
    source = {"kind": "url", "url": "https://example.com/", "labels": {"Plan": "a"}}
    assert place(await caller.post(f"{path}/sources", json=source)) in {"/labels/Plan", "/url/labels/Plan"}
    asked = {"query": "q", "filters": {"labels": {"Plan": ["a"]}}}
    assert place(await caller.post(f"{path}/search", json=asked)) == "/filters/labels/Plan"
    assert place(await caller.get(f"{path}/documents?label=plan")) == "label"
    agent = {"name": "narrow", "config": {"retrieval": {"filters": {"labels": {"plan": []}}}}}
    assert place(await caller.post("/v1/agents", json=agent)) == "/config/retrieval/filters/labels/plan"


async def test_an_agent_answers_only_from_documents_with_its_labels(caller: httpx2.AsyncClient) -> None:
    path, document = await upload(caller, OLD, "agent.md", labels='{"plan": "premium"}')
    cited = {}
    for plan in ("premium", "basic"):
        conversation = await open_conversation(
            caller,
            {
                "model": {"provider": "extractive"},
                "collections": [path.rpartition("/")[2]],
                "retrieval": {"filters": {"labels": {"plan": [plan]}}},
            },
        )
        await ask(caller, conversation, "What do apples cost?")
        rows = (await caller.get(f"/v1/conversations/{conversation}/messages")).json()["data"]
        cited[plan] = [one["document_id"] for row in rows for one in row["citations"]]
    assert cited == {"premium": [document["id"]], "basic": []}
