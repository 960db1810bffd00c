"""A posted message is answered once, and its answer can be followed and resumed from anywhere."""

import asyncio
import json
from typing import Any
from uuid import UUID

import httpx2
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from api.posting import incoming
from contracts import ids
from contracts.turn import TurnRef
from domain.conversations import turn_store
from domain.conversations.store import read_incoming
from tests.api.site import Site
from tests.api.talk import ask, open_conversation, read_sse, rebuild, scripted
from tests.house import House

pytestmark = pytest.mark.usefixtures("workers")
REPLY = "This is a scripted reply."


@pytest.fixture
async def conversation(caller: httpx2.AsyncClient) -> str:
    return await open_conversation(caller, scripted())


async def all_events(caller: httpx2.AsyncClient, conversation: str, turns: int = 1) -> list[dict[str, Any]]:
    """By polling, until so many turns have ended."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(30):
        while sum(event["type"] in ("turn.completed", "turn.failed") for event in found) < turns:
            after = found[-1]["seq"] if found else 0
            path = f"/v1/conversations/{conversation}/events"
            page = (await caller.get(path, params={"after": after, "wait": 5, "limit": 3})).json()
            found += [event | event["data"] for event in page["data"]]
            assert page["next_after"] == (found[-1]["seq"] if found else 0)
    return found


async def test_a_message_is_taken_and_answered(caller: httpx2.AsyncClient, conversation: str) -> None:
    taken = await caller.post(f"/v1/conversations/{conversation}/messages", json={"text": "Hello"})
    assert taken.status_code == 202, taken.text
    assert taken.json() == {
        "conversation_id": conversation,
        "message_id": taken.json()["message_id"],
        "position": 0,
        "replayed": False,
    }
    events = await all_events(caller, conversation)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[0]["message_id"] == taken.json()["message_id"]
    assert rebuild(events) == REPLY
    messages = (await caller.get(f"/v1/conversations/{conversation}/messages")).json()["data"]
    assert [(row["role"], row["text"]) for row in messages] == [("user", "Hello"), ("assistant", REPLY)]
    assert messages[0]["client_key"] == taken.headers["idempotency-key"]
    turns = (await caller.get(f"/v1/conversations/{conversation}/turns")).json()["data"]
    detail = (await caller.get(f"/v1/turns/{turns[0]['id']}")).json()
    assert (detail["state"], detail["number"], detail["model_calls"][0]["state"]) == ("completed", 1, "settled")
    assert "route" in detail["record"]
    assert (await caller.get(f"/v1/conversations/{conversation}/messages?limit=1")).json()["next_cursor"] is not None


async def test_a_post_streams_its_own_answer_to_the_end(caller: httpx2.AsyncClient, conversation: str) -> None:
    first = await ask(caller, conversation, "One")
    second = await ask(caller, conversation, "Two")
    for text, events in (("One", first), ("Two", second)):
        assert (events[0][0], events[0][1]) == (None, "message.accepted")
        logged = events[1:]
        assert [int(identity or 0) for identity, _, _ in logged] == [data["seq"] for _, _, data in logged]
        assert all(name == data["type"] for _, name, data in logged)
        assert (logged[0][2]["type"], logged[0][2]["text"]) == ("message.created", text)
        assert logged[-1][1] == "turn.completed"
        assert rebuild([data for _, _, data in logged]) == REPLY
    assert second[1][2]["seq"] == first[-1][2]["seq"] + 1


async def test_the_same_key_and_text_is_the_same_message_and_the_same_answer(
    caller: httpx2.AsyncClient, conversation: str
) -> None:
    headers = {"Idempotency-Key": "once"}
    first = await ask(caller, conversation, "Hello", **headers)
    await ask(caller, conversation, "And more")
    assert await ask(caller, conversation, "Hello", **headers) == first
    path = f"/v1/conversations/{conversation}/messages"
    again = await caller.post(path, json={"text": "Hello"}, headers=headers)
    assert (again.status_code, again.json()["replayed"]) == (202, True)
    assert again.json()["message_id"] == first[0][2]["message_id"]
    other = await caller.post(path, json={"text": "Goodbye"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert len((await caller.get(path)).json()["data"]) == 4


async def test_one_key_posted_at_once_is_one_message(caller: httpx2.AsyncClient) -> None:
    conversation = await open_conversation(caller, scripted(first_delay_ms=500))
    headers = {"Idempotency-Key": "once"}
    answers = await asyncio.gather(*(ask(caller, conversation, "Hello", **headers) for _ in range(8)))
    assert all([data for _, _, data in answer[1:]] == [data for _, _, data in answers[0][1:]] for answer in answers)
    messages = (await caller.get(f"/v1/conversations/{conversation}/messages")).json()["data"]
    assert len(messages) == 2


@pytest.mark.parametrize("turns_between", [0, 1])
async def test_a_message_whose_workflow_forgot_it_is_answered_when_it_is_asked_again(
    site: Site, caller: httpx2.AsyncClient, org: UUID, workers: House, conversation: str, turns_between: int
) -> None:
    # The worker stores a message before Temporal has its update for good, and both may die in between.
    database = workers.resources.database
    known = await read_incoming(database, org, UUID(conversation), "lost")
    message = incoming(UUID(conversation), "lost", "Hello")
    ref = TurnRef(
        org_id=org,
        conversation_id=UUID(conversation),
        turn_id=ids.turn_id(message.id),
        agent_version_id=known.agent_version_id,
    )
    await turn_store.begin(database, ref, [message], history_messages=0, history_chars=0)
    for number in range(turns_between):
        await ask(caller, conversation, f"Another {number}")
    answer = await ask(caller, conversation, "Hello", **{"Idempotency-Key": "lost"})
    assert answer[-1][1] == "turn.completed"
    turns = (await caller.get(f"/v1/conversations/{conversation}/turns")).json()["data"]
    assert [turn["state"] for turn in turns] == ["completed"] * (turns_between + 1)
    messages = (await caller.get(f"/v1/conversations/{conversation}/messages")).json()["data"]
    assert [row["text"] for row in messages].count("Hello") == 1
    assert [row["role"] for row in messages].count("assistant") == turns_between + 1


async def test_another_text_under_a_key_in_flight_is_refused(caller: httpx2.AsyncClient) -> None:
    conversation = await open_conversation(caller, scripted(first_delay_ms=2000))
    path = f"/v1/conversations/{conversation}/messages"
    first, other = await asyncio.gather(
        *(caller.post(path, json={"text": text}, headers={"Idempotency-Key": "k"}) for text in ("One", "Two"))
    )
    assert sorted((first.status_code, other.status_code)) == [202, 422]


@pytest.mark.parametrize("text", ["", "   \n", "x" * 32_001, "a\0b", None, 5])
async def test_a_bad_message_is_refused_with_or_without_a_stream(
    caller: httpx2.AsyncClient, conversation: str, text: Any
) -> None:
    for accept in ("application/json", "text/event-stream"):
        response = await caller.post(
            f"/v1/conversations/{conversation}/messages", json={"text": text}, headers={"Accept": accept}
        )
        assert response.status_code == 422
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["errors"][0]["pointer"] == "/text"
    assert (await caller.get(f"/v1/conversations/{conversation}/events")).json()["data"] == []


async def test_a_closed_conversation_takes_nothing_more(caller: httpx2.AsyncClient, conversation: str) -> None:
    await ask(caller, conversation, "Hello")
    closed = await caller.post(f"/v1/conversations/{conversation}/close", json={"reason": "done"})
    assert (closed.status_code, closed.json()["state"] in ("closing", "closed")) == (202, True)
    async with asyncio.timeout(20):
        while (await caller.get(f"/v1/conversations/{conversation}")).json()["state"] != "closed":
            await asyncio.sleep(0.05)
    for accept in ("application/json", "text/event-stream"):
        refused = await caller.post(
            f"/v1/conversations/{conversation}/messages", json={"text": "Hello?"}, headers={"Accept": accept}
        )
        assert (refused.status_code, refused.json()["code"]) == (409, "conversation_closed")
    assert (await caller.post(f"/v1/conversations/{conversation}/close")).json()["state"] == "closed"
    path = f"/v1/conversations/{conversation}/events/stream"
    async with caller.stream("GET", path) as response:
        events = [data async for _, _, data in read_sse(response)]
    assert (events[-1]["type"], events[-1]["reason"]) == ("conversation.closed", "done")
    assert (await caller.get(path, headers={"Last-Event-ID": str(events[-1]["seq"])})).status_code == 204


async def test_a_full_inbox_says_so_with_its_own_status(caller: httpx2.AsyncClient) -> None:
    conversation = await open_conversation(caller, scripted("a b", token_delay_ms=2500))
    path = f"/v1/conversations/{conversation}/messages"
    async with caller.stream("GET", f"/v1/conversations/{conversation}/events/stream") as stream:
        await caller.post(path, json={"text": "Begin"})
        async for _, name, _ in read_sse(stream):  # once the reply has spoken, nothing joins it any more
            if name == "reply.delta":
                break
    answers = [await caller.post(path, json={"text": f"More {n}"}) for n in range(22)]
    assert [answer.json()["position"] for answer in answers[:3]] == [0, 1, 2]
    assert (answers[-1].status_code, answers[-1].json()["code"]) == (429, "inbox_full")
    assert "retry-after" in answers[-1].headers
    streamed = await caller.post(path, json={"text": "More"}, headers={"Accept": "text/event-stream"})
    assert streamed.status_code == 429


async def test_a_stream_resumes_at_every_event(caller: httpx2.AsyncClient) -> None:
    conversation = await open_conversation(caller, scripted("one two three four", token_delay_ms=40))
    whole = [data for _, _, data in (await ask(caller, conversation, "Hello"))[1:]]
    path = f"/v1/conversations/{conversation}/events/stream"
    for place in range(len(whole)):
        by_header = {"headers": {"Last-Event-ID": str(place)}, "params": {"after": 0}}
        for how in (by_header, {"params": {"after": place}}):
            async with caller.stream("GET", path, **how) as response:
                rest = [data async for _, _, data in until_end(response)]
            assert rest == whole[place:]


async def until_end(response: httpx2.Response) -> Any:
    async for event in read_sse(response):
        yield event
        if event[1] in ("turn.completed", "turn.failed"):
            return


async def test_the_turn_ends_though_its_reader_left(caller: httpx2.AsyncClient, site: Site) -> None:
    conversation = await open_conversation(caller, scripted("one two three", token_delay_ms=100))
    path = f"/v1/conversations/{conversation}/messages"
    async with caller.stream("POST", path, json={"text": "Hello"}, headers={"Accept": "text/event-stream"}) as stream:
        async for _, name, _ in read_sse(stream):
            if name == "reply.delta":
                break
    assert rebuild(await all_events(caller, conversation)) == "one two three"
    async with asyncio.timeout(10):
        while site.resources.hub.readers:
            await asyncio.sleep(0.02)


async def test_an_odd_last_event_id_is_refused(caller: httpx2.AsyncClient, conversation: str) -> None:
    for odd in ("x", "-1", str(2**63), "1.5"):
        response = await caller.get(f"/v1/conversations/{conversation}/events/stream", headers={"Last-Event-ID": odd})
        assert (response.status_code, response.json()["errors"][0]["parameter"]) == (422, "Last-Event-ID")


async def hear(socket: ClientConnection, kind: str) -> list[dict[str, Any]]:
    """Everything up to the first of a kind."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(30):
        while not found or found[-1]["type"] != kind:
            found.append(json.loads(await socket.recv()))
    return found


def socket_url(site: Site, conversation: str) -> str:
    return f"{site.url.replace('http', 'ws', 1)}/v1/conversations/{conversation}/ws"


async def test_a_socket_asks_is_answered_and_resumes(
    site: Site, caller: httpx2.AsyncClient, conversation: str, workers: House
) -> None:
    key = caller.headers["Authorization"].removeprefix("Bearer ")
    url = socket_url(site, conversation)
    async with connect(url, additional_headers={"X-API-Key": key}) as socket:
        await socket.send(json.dumps({"type": "message", "text": "Hello", "idempotency_key": "k"}))
        heard = await hear(socket, "turn.completed")
        await socket.send(json.dumps({"type": "message", "text": "Hello", "idempotency_key": "k"}))
        again = (await hear(socket, "message.accepted"))[-1]
        for bad in ("{", "[]", '{"type": "nonsense"}', '{"type": "message", "text": ""}'):
            await socket.send(bad)
            assert (await hear(socket, "error"))[-1]["problem"]["status"] in (400, 422)
    events = [event for event in heard if "seq" in event]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert rebuild(events) == REPLY
    assert again["replayed"] is True
    async with connect(f"{url}?token={key}&resume_from=2") as socket:
        assert [event["seq"] for event in await hear(socket, "turn.completed")] == list(range(3, len(events) + 1))
        await socket.send(json.dumps({"type": "resume", "resume_from": 0}))
        assert await hear(socket, "turn.completed") == events
    async with connect(url) as socket:
        await socket.send(json.dumps({"type": "authenticate", "token": key}))
        await socket.send(json.dumps({"type": "resume", "resume_from": 0}))
        assert await hear(socket, "turn.completed") == events
    async with asyncio.timeout(10):
        while site.resources.hub.readers:
            await asyncio.sleep(0.02)


async def test_a_socket_without_a_good_key_is_refused(site: Site, conversation: str) -> None:
    url = socket_url(site, conversation)
    with pytest.raises(InvalidStatus) as refused:
        async with connect(f"{url}?token=nonsense"):
            pass
    assert refused.value.response.status_code == 401
    for first in ('{"type": "authenticate", "token": "nonsense"}', '{"type": "resume", "resume_from": 0}'):
        async with connect(url) as socket:
            await socket.send(first)
            with pytest.raises(ConnectionClosedError) as closed:
                await socket.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4401
