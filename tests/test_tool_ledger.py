"""One side effect a tool call: whatever dies, and however often the step is tried again."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from contracts.turn import ToolCall
from db.engine import Database
from domain.agents.config import HttpTool
from domain.errors import ToolUnavailable
from domain.tools.call import LAST_ATTEMPT, ToolCaller
from domain.tools.http_tool import ToolClient
from domain.tools.ledger_store import Ledger, idempotency_key
from runtime.embedded.process import free_port
from tests.rows import make_conversation
from tests.wire_server import Answer, WireServer, never, reset, serving, streamed, whole

CALL = ToolCall(key="0.0", name="refund", arguments={"order": "42"})
SCHEMA = {"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]}
OK = whole(200, '{"refunded": true}')


def tool(url: str, **changes: Any) -> HttpTool:
    settings = {"name": "refund", "url": url + "/refunds", "parameters": SCHEMA, "timeout_seconds": 5}
    return HttpTool.model_validate(settings | changes)


@pytest.fixture
async def turn(database: Database, org: UUID) -> UUID:
    """A turn to hang ledger rows on."""
    ref = await make_conversation(database, org)
    async with database.transaction(org) as connection:
        await connection.execute(
            """INSERT INTO turns (id, org_id, conversation_id, agent_version_id, number, state)
               VALUES ($1, $2, $3, $4, 1, 'running')""",
            ref.turn_id,
            org,
            ref.conversation_id,
            ref.agent_version_id,
        )
    return ref.turn_id


@pytest.fixture
async def caller(database: Database) -> AsyncIterator[ToolCaller]:
    client = ToolClient(allow_private=True)
    yield ToolCaller(database, client)
    await client.close()


async def stored(database: Database, org: UUID, turn: UUID) -> tuple[str, str | None]:
    async with database.transaction(org) as connection:
        row = await connection.fetchrow("SELECT state, outcome FROM tool_calls WHERE turn_id = $1", turn)
    assert row is not None
    return row["state"], row["outcome"]


async def test_a_call_happens_once_and_its_outcome_is_remembered(
    caller: ToolCaller, database: Database, org: UUID, turn: UUID
) -> None:
    async with serving(OK) as server:
        first = await caller.call(org, turn, CALL, tool(server.url), 1)
        again = await caller.call(org, turn, CALL, tool(server.url), 2)
    assert first == again
    assert (first.state, first.content) == ("succeeded", '{"refunded": true}')
    assert server.requests == [{"order": "42"}]
    assert server.headers[0]["idempotency-key"] == idempotency_key(turn, "0.0")
    assert await stored(database, org, turn) == ("succeeded", '{"refunded": true}')


async def test_a_call_sent_by_a_dead_worker_is_parked_and_not_sent_again(
    caller: ToolCaller, database: Database, org: UUID, turn: UUID
) -> None:
    ledger = Ledger(database)
    await ledger.claim(org, turn, CALL)
    await ledger.mark_sent(org, turn, CALL, again=False)
    async with serving(OK) as server:
        parked = await caller.call(org, turn, CALL, tool(server.url), 2)
        asked_again = await caller.call(org, turn, CALL, tool(server.url), 3)
    assert parked.state == asked_again.state == "unknown"
    assert server.requests == []


async def test_a_call_claimed_by_a_dead_worker_is_made(
    caller: ToolCaller, database: Database, org: UUID, turn: UUID
) -> None:
    await Ledger(database).claim(org, turn, CALL)
    async with serving(OK) as server:
        result = await caller.call(org, turn, CALL, tool(server.url), 2)
    assert result.state == "succeeded"
    assert len(server.requests) == 1


async def test_an_idempotent_tool_is_asked_again_with_the_same_key(
    caller: ToolCaller, database: Database, org: UUID, turn: UUID
) -> None:
    async with serving(reset, whole(503, "busy"), OK) as server:
        target = tool(server.url, idempotent=True)
        for attempt in (1, 2):
            with pytest.raises(ToolUnavailable):
                await caller.call(org, turn, CALL, target, attempt)
        result = await caller.call(org, turn, CALL, target, 3)
    assert result.state == "succeeded"
    assert len({headers["idempotency-key"] for headers in server.headers}) == 1
    assert len(server.headers) == 3


@pytest.mark.parametrize(
    "answer",
    [reset, never, whole(502, "gateway"), whole(500, "oops"), streamed(b"half", ends="cut")],
    ids=["reset", "timeout", "502", "500", "half an answer"],
)
async def test_where_nobody_knows_whether_it_happened_it_is_not_done_twice(
    caller: ToolCaller, org: UUID, turn: UUID, answer: Answer
) -> None:
    async with serving(answer) as server:
        target = tool(server.url, timeout_seconds=0.4)
        states = [(await caller.call(org, turn, CALL, target, attempt)).state for attempt in (1, 2, 3)]
    assert states == ["unknown"] * 3
    assert len(server.requests) == 1


async def test_a_refused_connection_is_tried_again_and_at_last_told(caller: ToolCaller, org: UUID, turn: UUID) -> None:
    target = tool(f"http://127.0.0.1:{free_port()}")
    for attempt in range(1, LAST_ATTEMPT):
        with pytest.raises(ToolUnavailable):
            await caller.call(org, turn, CALL, target, attempt)
    result = await caller.call(org, turn, CALL, target, LAST_ATTEMPT)
    assert result.state == "failed"
    assert "could not be reached" in result.content


async def test_a_refused_connection_leaves_the_call_to_be_made(caller: ToolCaller, org: UUID, turn: UUID) -> None:
    with pytest.raises(ToolUnavailable):
        await caller.call(org, turn, CALL, tool(f"http://127.0.0.1:{free_port()}"), 1)
    async with serving(OK) as server:
        assert (await caller.call(org, turn, CALL, tool(server.url), 2)).state == "succeeded"


async def test_two_attempts_at_once_send_once(caller: ToolCaller, org: UUID, turn: UUID) -> None:
    async with serving(OK) as server:
        results = await asyncio.gather(*(caller.call(org, turn, CALL, tool(server.url), n) for n in range(1, 7)))
    assert len(server.requests) == 1
    assert {result.state for result in results} <= {"succeeded", "unknown"}


async def test_a_late_outcome_replaces_unknown_in_the_ledger(
    caller: ToolCaller, database: Database, org: UUID, turn: UUID
) -> None:
    go_on = asyncio.Event()

    async def slow(writer: asyncio.StreamWriter) -> None:
        await go_on.wait()
        await OK(writer)

    async with serving(slow) as server:
        zombie = asyncio.create_task(caller.call(org, turn, CALL, tool(server.url), 1))
        while not server.requests:
            await asyncio.sleep(0.01)
        assert (await caller.call(org, turn, CALL, tool(server.url), 2)).state == "unknown"
        go_on.set()
        assert (await zombie).state == "succeeded"
    assert (await stored(database, org, turn))[0] == "succeeded"
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [301, 400, 404, 409, 429, 501])
async def test_a_refusal_is_told_to_the_model(caller: ToolCaller, org: UUID, turn: UUID, status: int) -> None:
    async with serving(whole(status, "not this order", location="http://127.0.0.1:1/")) as server:
        result = await caller.call(org, turn, CALL, tool(server.url), 1)
    assert (result.state, result.content) == ("failed", f"HTTP {status}: not this order")
    assert len(server.requests) == 1


async def test_wrong_names_and_arguments_are_told_to_the_model(caller: ToolCaller, org: UUID, turn: UUID) -> None:
    missing = await caller.call(org, turn, CALL, None, 1)
    assert (missing.state, missing.content) == ("failed", "There is no tool named refund.")
    async with serving(OK) as server:
        wrong = await caller.call(org, turn, CALL.model_copy(update={"arguments": {"order": 42}}), tool(server.url), 1)
        odd = await caller.call(org, turn, CALL, tool(server.url, parameters={"type": "nonsense"}), 1)
    assert wrong.state == odd.state == "failed"
    assert "/order" in wrong.content
    assert "not a valid JSON Schema" in odd.content
    assert server.requests == []


async def test_a_get_puts_its_arguments_into_the_query(caller: ToolCaller, org: UUID, turn: UUID) -> None:
    async with serving(OK) as server:
        result = await caller.call(org, turn, CALL, tool(server.url, method="GET"), 1)
    assert result.state == "succeeded"
    assert server.lines == ["GET /refunds?order=42 HTTP/1.1"]
    assert server.headers[0]["host"] == server.url.removeprefix("http://")


async def test_a_long_answer_is_cut(caller: ToolCaller, org: UUID, turn: UUID) -> None:
    async with serving(whole(200, "x" * 200_000)) as server:
        result = await caller.call(org, turn, CALL, tool(server.url, max_response_bytes=1000), 1)
    assert result.content == "x" * 1000 + " […]"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "10.0.0.8",
        "169.254.169.254",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "0.0.0.0",
    ],
)
async def test_private_machines_are_out_of_reach(database: Database, org: UUID, turn: UUID, host: str) -> None:
    client = ToolClient()
    try:
        result = await ToolCaller(database, client).call(org, turn, CALL, tool(f"http://{host}:9"), 1)
    finally:
        await client.close()
    assert result.state == "failed"
    assert "not a public address" in result.content


async def test_the_ledger_row_says_what_was_asked(
    caller: ToolCaller, database: Database, org: UUID, turn: UUID
) -> None:
    async with serving(OK) as server:
        await caller.call(org, turn, CALL, tool(server.url), 1)
    async with database.transaction(org) as connection:
        row = await connection.fetchrow("SELECT name, arguments, attempts, finished_at FROM tool_calls")
    assert row is not None
    assert (row["name"], json.loads(json.dumps(row["arguments"])), row["attempts"]) == ("refund", {"order": "42"}, 1)
    assert row["finished_at"] is not None
    assert isinstance(server, WireServer)
