"""What belongs to another organisation is not there: 404 on every route, in every id, and never 403."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from contracts.turn import TurnRef
from db.engine import Database
from tests.api.site import Site

BODIES: dict[str, Any] = {
    "update_agent": {"name": "stolen"},
    "update_collection": {"name": "stolen"},
    "update_document": {"labels": {"plan": "stolen"}},
    "search_collection": {"query": "anything"},
    "post_message": {"text": "hello"},
    "create_source": {"kind": "url", "url": "https://example.com/a.txt"},
    "rate_message": {"rating": "bad"},
    "update_gap": {"state": "resolved"},
    "update_budget": {"stops": False},
    "create_retrieval_test": {"question": "q", "expected": {"phrases": ["a"]}},
    "update_retrieval_test": {"question": "q"},
    "import_retrieval_tests": {"tests": [{"question": "q", "expected": {"phrases": ["a"]}}]},
    "run_retrieval_tests": {},
}
FILES = {
    "upload_archives": {"files": ("a.txt", b"some text")},
    "upload_document": {"file": ("a.txt", b"some text")},
    "replace_content": {"file": ("a.txt", b"other text")},
}


@dataclass(frozen=True)
class Belongings:
    """One id of everything an organisation has."""

    ids: dict[str, str]


@pytest.fixture
async def mine(site: Site, org: UUID, caller: httpx2.AsyncClient) -> Belongings:
    agent = (await caller.post("/v1/agents", json={"name": "a"})).json()
    collection = (await caller.post("/v1/collections", json={"name": "c"})).json()
    path = f"/v1/collections/{collection['id']}/documents"
    document = (await caller.post(path, files={"file": ("a.txt", b"some text")})).json()
    conversation = (await caller.post("/v1/conversations", json={"agent_id": agent["id"]})).json()
    key = (await caller.post("/v1/api-keys", json={"name": "k", "permissions": ["agents:read"]})).json()
    run = (
        await caller.post(
            "/v1/runs", json={"workflow": "ConversationWorkflow", "input": {"conversation_id": conversation["id"]}}
        )
    ).json()
    turn = await make_turn(site.database, org, conversation)
    path = f"/v1/collections/{collection['id']}/archives"
    source = (await caller.post(path, files={"files": ("b.txt", b"more text")})).json()
    reply, gap = await make_reply_and_gap(site.database, turn, collection["id"])
    path = f"/v1/collections/{collection['id']}/retrieval-tests"
    test = (await caller.post(path, json={"question": "q", "expected": {"phrases": ["a"]}})).json()
    terms = {"scope": "organisation", "period": "day", "limit_micros": 10**9}
    budget = (await caller.post("/v1/budgets", json=terms)).json()
    rates = {"provider": "openai", "model": "mine", "input": "1", "output": "2", "source": "a test"}
    price = (await caller.post("/v1/model-prices", json=rates)).json()
    return Belongings(
        {
            "budget_id": budget["id"],
            "price_id": price["id"],
            "source_id": source["id"],
            "message_id": str(reply),
            "gap_id": str(gap),
            "test_id": test["id"],
            "agent_id": agent["id"],
            "collection_id": collection["id"],
            "document_id": document["id"],
            "conversation_id": conversation["id"],
            "key_id": key["id"],
            "run_id": run["id"],
            "turn_id": str(turn.turn_id),
            "number": "1",
            "page": "1",
            "model": "a",
        }
    )


async def make_turn(database: Database, org: UUID, conversation: dict[str, Any]) -> TurnRef:
    ref = TurnRef(
        org_id=org,
        conversation_id=conversation["id"],
        turn_id=UUID(int=UUID(conversation["id"]).int ^ 1),
        agent_version_id=conversation["agent_version_id"],
    )
    async with database.transaction(org) as connection:
        await connection.execute(
            """INSERT INTO turns (id, org_id, conversation_id, agent_version_id, number, state)
               VALUES ($1, $2, $3, $4, 1, 'completed')""",
            ref.turn_id,
            org,
            ref.conversation_id,
            ref.agent_version_id,
        )
    return ref


async def make_reply_and_gap(database: Database, turn: TurnRef, collection_id: str) -> tuple[UUID, UUID]:
    reply, gap = uuid4(), uuid4()
    async with database.transaction(turn.org_id) as connection:
        await connection.execute(
            """INSERT INTO messages (id, org_id, conversation_id, turn_id, position, role, text)
               VALUES ($1, $2, $3, $4, 1, 'assistant', 'hello')""",
            reply,
            turn.org_id,
            turn.conversation_id,
            turn.turn_id,
        )
        await connection.execute(
            "INSERT INTO knowledge_gaps (id, org_id, collection_id, question, vector) VALUES ($1, $2, $3, 'q', '')",
            gap,
            turn.org_id,
            UUID(collection_id),
        )
        await connection.execute(
            """INSERT INTO gap_sightings (turn_id, collection_id, org_id, gap_id, reasons, question, vector)
               VALUES ($1, $2, $3, $4, '{not_answered}', 'q', '')""",
            turn.turn_id,
            UUID(collection_id),
            turn.org_id,
            gap,
        )
    return reply, gap


async def operations(site: Site) -> AsyncIterator[tuple[str, str, str]]:
    async with site.stranger() as stranger:
        document = (await stranger.get("/openapi.json")).json()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if "{" in path and path != "/problems/{code}":
                yield method, path, operation["operationId"]


async def test_every_route_with_an_id_hides_what_belongs_to_others(
    site: Site, mine: Belongings, caller: httpx2.AsyncClient, outsider: httpx2.AsyncClient
) -> None:
    tried = 0
    async for method, path, name in operations(site):
        url = path.format(**mine.ids)
        response = await outsider.request(method, url, json=BODIES.get(name), files=FILES.get(name))
        assert response.status_code == 404, f"{method} {path}: {response.status_code} {response.text}"
        tried += 1
    assert tried > 25
    for path in ("agents", "collections", "conversations", "runs", "models"):
        assert (await outsider.get(f"/v1/{path}")).json()["data"] == []
    assert len((await outsider.get("/v1/api-keys")).json()["data"]) == 1
    for kind in ("agent", "collection", "document", "conversation", "turn", "gap"):
        assert (await caller.get(f"/v1/{kind}s/{mine.ids[kind + '_id']}")).status_code == 200


async def test_ids_in_bodies_are_no_way_around(mine: Belongings, outsider: httpx2.AsyncClient) -> None:
    for path, body in (
        ("/v1/conversations", {"agent_id": mine.ids["agent_id"]}),
        ("/v1/runs", {"workflow": "TurnWorkflow", "input": {"agent_id": mine.ids["agent_id"], "text": "hello"}}),
        ("/v1/runs", {"workflow": "IngestWorkflow", "input": {"document_id": mine.ids["document_id"]}}),
        (
            "/v1/runs",
            {"workflow": "ConversationWorkflow", "input": {"conversation_id": mine.ids["conversation_id"]}},
        ),
        (
            "/v1/chat/completions",
            {"model": mine.ids["agent_id"], "messages": [{"role": "user", "content": "hello"}]},
        ),
    ):
        assert (await outsider.post(path, json=body)).status_code == 404, path


async def test_a_socket_hides_it_too(site: Site, mine: Belongings, outsider: httpx2.AsyncClient) -> None:
    url = f"{site.url.replace('http', 'ws', 1)}/v1/conversations/{mine.ids['conversation_id']}/ws"
    with pytest.raises(InvalidStatus) as refused:
        async with connect(url, additional_headers={"Authorization": outsider.headers["Authorization"]}):
            pass
    assert refused.value.response.status_code == 404
