"""A collection's retrieval tests say what its search finds, where, and what it misses."""

from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest

from contracts.ingest import IngestInput
from domain.knowledge.chunk import chunk
from domain.knowledge.index import embedded_text
from domain.knowledge.parse import parse
from domain.knowledge.passage import Passage
from domain.knowledge.retrieval_test import Expected, judge
from tests.api.site import Site

BAGGAGE = "Lost baggage is paid for up to 1,200 euros when the airline confirms the loss in writing."
HOURS = "The counters are open from eight to six, and on holidays until noon."


@pytest.fixture
async def place(site: Site, org: UUID, caller: httpx2.AsyncClient) -> dict[str, str]:
    """A collection of two documents."""
    made = (await caller.post("/v1/collections", json={"name": "travel"})).json()
    ids = {"collection": made["id"]}
    for name, text in (("baggage", BAGGAGE), ("hours", HOURS)):
        document = IngestInput(org_id=org, collection_id=UUID(made["id"]), document_id=uuid4())
        extract = parse(text.encode(), f"{name}.txt")
        chunks = chunk(extract, document.document_id)
        vectors = await site.resources.knowledge.embedder.passages([embedded_text("", each) for each in chunks])
        await site.resources.knowledge.index.replace(document, "", chunks, vectors)
        ids[name] = str(document.document_id)
    return ids


async def test_a_run_judges_every_question_and_says_what_was_missed(
    caller: httpx2.AsyncClient, place: dict[str, str]
) -> None:
    path = f"/v1/collections/{place['collection']}/retrieval-tests"
    tests: list[dict[str, Any]] = [
        {"question": "Do you pay for lost baggage?", "expected": {"documents": [place["baggage"]]}},
        {"question": "When is the counter open?", "expected": {"phrases": ["on  holidays until NOON", "never said"]}},
        {
            "question": "And until what amount?",
            "history": [{"role": "user", "text": "Do you pay for lost baggage?"}],
            "expected": {"phrases": ["1,200 euros"]},
        },
    ]
    made = await caller.post(f"{path}/import", json={"tests": tests})
    assert made.status_code == 201, made.text
    result = (await caller.post(f"{path}/run", json={"limit": 1})).json()
    assert (result["tests"], result["hit_rate"], result["mrr"]) == (3, 1.0, 1.0)
    by_question = {one["question"]: one for one in result["data"]}
    assert by_question["When is the counter open?"]["missed"] == ["phrase never said"]
    assert by_question["When is the counter open?"]["ndcg"] < 1
    assert "baggage" in by_question["And until what amount?"]["searched"]
    assert by_question["Do you pay for lost baggage?"]["passages"][0]["document_id"] == place["baggage"]


async def test_a_test_is_kept_changed_and_deleted(caller: httpx2.AsyncClient, place: dict[str, str]) -> None:
    path = f"/v1/collections/{place['collection']}/retrieval-tests"
    assert (await caller.post(f"{path}/run", json={})).json()["hit_rate"] is None
    assert (await caller.post(path, json={"question": "q", "expected": {}})).status_code == 422
    made = (await caller.post(path, json={"question": "q", "expected": {"phrases": ["a"]}})).json()
    one = f"{path}/{made['id']}"
    assert (await caller.patch(one, json={"question": "r"})).json()["question"] == "r"
    assert (await caller.get(one)).json()["expected"]["phrases"] == ["a"]
    assert [row["id"] for row in (await caller.get(path)).json()["data"]] == [made["id"]]
    assert (await caller.delete(one)).status_code == 204
    assert (await caller.get(one)).status_code == 404


async def test_a_search_reads_what_was_said_before(caller: httpx2.AsyncClient, place: dict[str, str]) -> None:
    path = f"/v1/collections/{place['collection']}/search"
    said = [{"role": "user", "text": "Do you pay for lost baggage?"}]
    found = (await caller.post(path, json={"query": "And until what amount?", "history": said})).json()
    assert "baggage" in found["searched"]
    assert found["data"][0]["document_id"] == place["baggage"]
    assert (await caller.post(path, json={"query": "And what?"})).json()["searched"] == "And what?"


def passage(id_: str, text: str, document_id: UUID) -> Passage:
    return Passage(id_, document_id, document_id, "", "", None, 0, len(text), text)


def test_figures_are_those_of_the_field() -> None:
    here, there = uuid4(), uuid4()
    found = [passage("a", "one", here), passage("b", "two three", there), passage("c", "four", here)]
    whole = judge(found, Expected(documents=(here,), phrases=("Two   Three",)))
    assert (whole.hits, whole.reciprocal_rank, whole.ndcg) == ({f"document {here}": 1, "phrase Two   Three": 2}, 1, 1)
    late = judge(found, Expected(passages=("c",)))
    assert (late.reciprocal_rank, late.ndcg) == (1 / 3, 0.5)
    nothing = judge(found, Expected(passages=("x",)))
    assert (nothing.hit, nothing.reciprocal_rank, nothing.ndcg, nothing.missed) == (False, 0, 0, ["passage x"])
