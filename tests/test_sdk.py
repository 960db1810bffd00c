"""The client sees each event once and in order, whatever the connection does, and says faults in one line."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from runtime.embedded.process import free_port
from sdk.client import Everturn
from sdk.errors import ApiProblem, Unreachable
from sdk.reply import Event, Reply

EVENTS = [
    {"seq": 1, "type": "message.created", "role": "user", "text": "?", "message_id": "m1"},
    {"seq": 2, "type": "turn.started", "number": 1},
    {"seq": 3, "type": "reply.delta", "text": "Hello wor", "at": 0},
    {"seq": 4, "type": "reply.rewind", "to": 6, "reason": "a new attempt"},
    {"seq": 5, "type": "reply.delta", "text": "there", "at": 6},
    {"seq": 6, "type": "message.created", "role": "assistant", "text": "Hello there", "citations": [{"marker": 1}]},
    {"seq": 7, "type": "turn.completed", "cost_micros": 3},
]

Answer = Callable[[int], tuple[int, list[bytes]]]
"""From the place a reader resumes from to the status and the chunks before the line breaks."""


@dataclass
class Asked:
    """What a server was asked for: places to resume from, and Idempotency-Keys."""

    places: list[int] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


@asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[tuple[Everturn, Asked]]:
    """A server on loopback that closes the line after each answer. Status 0: it closes without one."""
    asked = Asked()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        place = int(headers.get("last-event-id", "0"))
        asked.places.append(place)
        asked.keys.append(headers.get("idempotency-key", ""))
        status, chunks = answer(place)
        if status == 0:
            writer.close()
            return
        kind = "text/event-stream" if status == 200 else "application/problem+json"
        writer.write(f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n".encode())
        writer.writelines(chunks)
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with listener, Everturn(f"http://127.0.0.1:{port}", "key") as client:
        yield client, asked


def wire(event: dict[str, object]) -> bytes:
    return f"id: {event['seq']}\nevent: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


async def test_a_reader_that_loses_the_line_after_every_event_misses_and_repeats_nothing() -> None:
    def one_at_a_time(place: int) -> tuple[int, list[bytes]]:
        # One that was seen already, one new, and half of the next, as a dying server leaves them.
        rest = [wire(event) for event in EVENTS[max(0, place - 1) : place + 1]]
        return (200, [*rest, wire(EVENTS[min(place + 1, 6)])[:15]]) if place < len(EVENTS) else (204, [])

    async with server(one_at_a_time) as (client, asked):
        seen = [event async for event in client.events("c")]
    assert [event.seq for event in seen] == [1, 2, 3, 4, 5, 6, 7]
    assert asked.places == [0, 1, 2, 3, 4, 5, 6, 7]


async def test_a_reader_goes_on_through_a_server_that_is_not_ready() -> None:
    answers = iter([(503, [b"{}"]), (200, [wire(EVENTS[0])]), (204, list[bytes]())])
    async with server(lambda _place: next(answers)) as (client, asked):
        assert [event.seq async for event in client.events("c")] == [1]
    assert asked.places == [0, 0, 1]


async def test_a_refusal_is_a_problem_with_its_code() -> None:
    body = json.dumps(
        {"code": "not_found", "detail": "no such conversation", "status": 404, "request_id": "r1"}
    ).encode()
    async with server(lambda _place: (404, [body])) as (client, _):
        with pytest.raises(ApiProblem, match=r"^no such conversation \(request r1\)$") as caught:
            await anext(client.events("c"))
        assert (caught.value.status, caught.value.code) == (404, "not_found")
        with pytest.raises(ApiProblem):
            await client.document("d")


async def test_a_page_of_a_proxy_is_a_problem_too() -> None:
    async with server(lambda _place: (400, [b"<html>Bad gateway</html>"])) as (client, _):
        with pytest.raises(ApiProblem, match="HTTP 400"):
            await client.document("d")


async def test_a_call_that_met_a_restart_is_repeated_with_the_same_idempotency_key() -> None:
    body = json.dumps({"id": "c1"}).encode()
    answers = iter([(503, [b"{}"]), (0, list[bytes]()), (200, [body])])
    async with server(lambda _place: next(answers)) as (client, asked):
        assert await client.create_conversation("a") == {"id": "c1"}
    assert len(asked.keys) == 3
    assert len(set(asked.keys)) == 1
    assert asked.keys[0] != ""


async def test_nobody_at_the_address_is_one_line_that_names_it() -> None:
    async with Everturn(f"http://127.0.0.1:{free_port()}", "key") as client:
        with pytest.raises(Unreachable, match=r"^http://127\.0\.0\.1:\d+ does not answer: "):
            await client.document("d")


def test_a_reply_is_rebuilt_exactly_and_a_screen_can_follow_it() -> None:
    reply, shown = Reply(), ""
    for event in EVENTS[1:]:
        taken_back, added = reply.feed(Event(int(str(event["seq"])), str(event["type"]), event))
        shown = shown[: len(shown) - taken_back] + added
        assert shown == reply.text
    assert (reply.text, reply.finished, reply.failure) == ("Hello there", True, None)
    assert reply.citations == [{"marker": 1}]
