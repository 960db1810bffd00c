"""What a collection could not answer is kept once, with every turn that met it, whatever is repeated."""

import asyncio
from typing import Any

import httpx2
import pytest

from tests.api.talk import ask, open_conversation, scripted
from tests.house import House

UNKNOWN = "I do not have any information about this."


async def collection(caller: httpx2.AsyncClient, name: str = "handbook") -> str:
    made = await caller.post("/v1/collections", json={"name": name})
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def gaps(caller: httpx2.AsyncClient, collection_id: str, **query: str) -> list[dict[str, Any]]:
    answer = await caller.get(f"/v1/collections/{collection_id}/gaps", params=query)
    assert answer.status_code == 200, answer.text
    rows: list[dict[str, Any]] = answer.json()["data"]
    return rows


async def said(caller: httpx2.AsyncClient, config: dict[str, Any], *texts: str) -> list[str]:
    """Ids of the replies."""
    conversation = await open_conversation(caller, config)
    for text in texts:
        await ask(caller, conversation, text)
    rows = (await caller.get(f"/v1/conversations/{conversation}/messages")).json()["data"]
    return [row["id"] for row in rows if row["role"] == "assistant"]


async def test_a_question_without_passages_is_a_gap_and_its_near_duplicates_are_counted(
    workers: House, caller: httpx2.AsyncClient
) -> None:
    place = await collection(caller)
    config = scripted(UNKNOWN) | {"collections": [place]}
    await said(caller, config, "How do I close my bank account?")
    await said(caller, config, "How do I close my bank account please?")
    await said(caller, config, "Which planets have more than two moons?")
    await said(caller, config, "hello", "thanks a lot")
    found = {row["question"]: row for row in await gaps(caller, place)}
    assert {question: row["count"] for question, row in found.items()} == {
        "How do I close my bank account?": 2,
        "Which planets have more than two moons?": 1,
    }
    met = found["How do I close my bank account?"]
    assert [one["question"] for one in met["examples"]] == [
        "How do I close my bank account please?",
        "How do I close my bank account?",
    ]
    assert met["examples"][0]["reasons"] == ["nothing_found", "not_answered"]
    assert (await caller.get(f"/v1/turns/{met['examples'][0]['turn_id']}")).status_code == 200


async def test_passages_that_answer_nothing_are_weak_evidence(workers: House, caller: httpx2.AsyncClient) -> None:
    place = await collection(caller)
    file = {
        "file": ("bank.md", b"# Bank\n\nYou close your bank account with a letter to your branch.", "text/markdown")
    }
    document = (await caller.post(f"/v1/collections/{place}/documents", files=file)).json()
    while (await caller.get(f"/v1/documents/{document['id']}")).json()["state"] != "ready":
        await asyncio.sleep(0.05)
    config = scripted("It is so [1].") | {"collections": [place]}
    await said(caller, config, "How do I close my bank account?", "Which planets have more than two moons?")
    (gap,) = await gaps(caller, place)
    assert gap["question"] == "Which planets have more than two moons?"
    assert gap["examples"][0]["reasons"] == ["weak_evidence"]


async def test_an_agent_without_collections_has_no_gaps(workers: House, caller: httpx2.AsyncClient) -> None:
    place = await collection(caller)
    await said(caller, scripted(UNKNOWN), "How do I close my bank account?")
    assert await gaps(caller, place) == []


async def test_personal_data_of_a_question_is_not_kept(workers: House, caller: httpx2.AsyncClient) -> None:
    place = await collection(caller)
    await said(
        caller, scripted(UNKNOWN) | {"collections": [place]}, "Why does anna@example.com get no invoice letters?"
    )
    (gap,) = await gaps(caller, place)
    assert "anna@example.com" not in str(gap)


async def test_a_gap_is_resolved_opens_when_it_is_met_again_and_stays_dismissed(
    workers: House, caller: httpx2.AsyncClient
) -> None:
    place = await collection(caller)
    config = scripted(UNKNOWN) | {"collections": [place]}
    await said(caller, config, "How do I close my bank account?")
    (gap,) = await gaps(caller, place, state="open")
    changed = await caller.patch(f"/v1/gaps/{gap['id']}", json={"state": "resolved", "note": "see closing.md"})
    assert (changed.status_code, changed.json()["state"], changed.json()["note"]) == (200, "resolved", "see closing.md")
    assert await gaps(caller, place, state="open") == []
    await said(caller, config, "How do I close my bank account?")
    assert [(row["count"], row["state"]) for row in await gaps(caller, place)] == [(2, "open")]
    await caller.patch(f"/v1/gaps/{gap['id']}", json={"state": "dismissed"})
    await said(caller, config, "How do I close my bank account?")
    assert [(row["count"], row["state"]) for row in await gaps(caller, place)] == [(3, "dismissed")]


async def test_a_bad_rating_makes_a_gap_once_and_a_good_one_takes_it_back(
    workers: House, caller: httpx2.AsyncClient
) -> None:
    place = await collection(caller)
    config = scripted("The bank closes it within a day.") | {"collections": [place]}
    (reply,) = await said(caller, config, "How do I close my bank account?")
    path = f"/v1/messages/{reply}/feedback"
    for _ in range(2):
        rated = await caller.post(path, json={"rating": "bad", "comment": "wrong"})
        assert (rated.status_code, rated.json()["comment"]) == (200, "wrong")
    (gap,) = await gaps(caller, place)
    assert (gap["count"], gap["examples"][0]["reasons"]) == (1, ["nothing_found", "bad_feedback"])
    assert (await caller.post(path, json={"rating": "good"})).json()["rating"] == "good"
    (gap,) = await gaps(caller, place)
    assert gap["examples"][0]["reasons"] == ["nothing_found"]


async def test_only_replies_can_be_rated(workers: House, caller: httpx2.AsyncClient) -> None:
    conversation = await open_conversation(caller, scripted())
    await ask(caller, conversation, "hello")
    (question, _) = (await caller.get(f"/v1/conversations/{conversation}/messages")).json()["data"]
    refused = await caller.post(f"/v1/messages/{question['id']}/feedback", json={"rating": "good"})
    assert refused.status_code == 422


async def test_gaps_that_are_met_at_once_are_one(workers: House, caller: httpx2.AsyncClient) -> None:
    place = await collection(caller)
    config = scripted(UNKNOWN) | {"collections": [place]}
    conversations = [await open_conversation(caller, config) for _ in range(6)]
    await asyncio.gather(*(ask(caller, each, "How do I close my bank account?") for each in conversations))
    assert [row["count"] for row in await gaps(caller, place)] == [6]


@pytest.mark.parametrize("body", [{"state": "done"}, {"states": "open"}])
async def test_a_gap_has_three_states(workers: House, caller: httpx2.AsyncClient, body: dict[str, Any]) -> None:
    place = await collection(caller)
    await said(caller, scripted(UNKNOWN) | {"collections": [place]}, "How do I close my bank account?")
    (gap,) = await gaps(caller, place)
    assert (await caller.patch(f"/v1/gaps/{gap['id']}", json=body)).status_code == 422
