"""A reply comes word by word, whole, with the provider's own counts, and stops when its reader leaves; at every
provider, over its real SDK. What goes wrong is in `test_faults.py`."""

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest

from domain.errors import ProviderUnavailable
from domain.llm.model import ChatMessage, Finished, ModelRequest, Provider, TextPiece, ToolRequest, ToolSpec
from tests.models.dialects import DIALECTS, Dialect
from tests.wire_server import serving, streamed

LOOK_UP = ToolSpec("look_up", "Find an order.", {"type": "object", "properties": {"id": {"type": "string"}}})
REQUEST = ModelRequest(
    model="m", instructions="Be kind.", messages=(ChatMessage("user", "Hello?"),), temperature=0.5
)  # fmt: skip
TOOL_ROUND = (
    ChatMessage("user", "Where is 42?"),
    ChatMessage("assistant", "", tool_requests=(ToolRequest("0.0", "look_up", {"id": "42"}),)),
    ChatMessage("tool", "on its way", tool_request_id="0.0"),
)
each = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
with_tools = pytest.mark.parametrize(
    "dialect", [dialect for dialect in DIALECTS if dialect.takes_tools], ids=lambda dialect: dialect.name
)


async def told(provider: Provider, request: ModelRequest = REQUEST) -> tuple[list[str], Finished]:
    pieces: list[str] = []
    async for piece in provider.stream(request):
        if isinstance(piece, Finished):
            return pieces, piece
        assert piece.text, "a piece is never empty"
        pieces.append(piece.text)
    raise AssertionError("a stream ends with Finished")


@each
async def test_a_reply_comes_word_by_word_with_the_providers_own_counts(dialect: Dialect) -> None:
    answer = streamed(dialect.start, *dialect.text("Good", " day", ", Zoë!"), dialect.end())
    async with dialect.talking_to(answer) as (provider, server):
        pieces, finished = await told(provider)
    assert pieces == ["Good", " day", ", Zoë!"]
    assert (finished.finish, finished.tool_requests) == ("stop", ())
    usage = finished.usage
    assert (usage.input_tokens, usage.output_tokens, usage.cached_tokens) == (12, 3, 8)
    asked = json.dumps(server.requests[0])
    assert "Be kind." in asked
    assert "Hello?" in asked
    assert "0.5" in asked


@each
async def test_a_reader_who_leaves_closes_the_connection(dialect: Dialect) -> None:
    answer = streamed(dialect.start, *dialect.text("One"), ends="stall")
    async with dialect.talking_to(answer) as (provider, server):
        stream = provider.stream(REQUEST)
        assert isinstance(stream, AsyncGenerator)
        assert isinstance(await anext(stream), TextPiece)
        await stream.aclose()
        await asyncio.wait_for(server.hung_up.wait(), timeout=5)


@each
async def test_a_reply_goes_on_after_what_readers_have_seen(dialect: Dialect) -> None:
    answer = streamed(dialect.start, *dialect.text("you", " can", " return it", " today."), dialect.end())
    async with dialect.talking_to(answer) as (provider, server):
        pieces, _ = await told(provider, replace(REQUEST, prefix="Yes, you"))
    assert "".join(pieces) == " can return it today."
    assert "Yes, you" in json.dumps(server.requests[0])


@each
async def test_nobody_listening_is_told_apart_from_silence(dialect: Dialect) -> None:
    async with serving(streamed(b"")) as server:
        url = server.url
    provider = dialect.provider(url + dialect.path)
    with pytest.raises(ProviderUnavailable) as failure:
        await told(provider)
    await provider.close()
    assert failure.value.kind == "unreachable"


@with_tools
async def test_text_before_a_tool_call_is_kept_and_the_tool_was_offered(dialect: Dialect) -> None:
    calls = dialect.tool(1, "a", "look_up", '{"id": "42"}')
    answer = streamed(dialect.start, *dialect.text("Let me see."), calls, dialect.end("tools"))
    async with dialect.talking_to(answer) as (provider, server):
        pieces, finished = await told(provider, replace(REQUEST, tools=(LOOK_UP,)))
    assert (pieces, finished.finish) == (["Let me see."], "tool_calls")
    assert finished.tool_requests == (ToolRequest("a", "look_up", {"id": "42"}),)
    assert "Find an order." in json.dumps(server.requests[0]["tools"])


@with_tools
async def test_a_tools_answer_goes_back_under_the_id_of_its_call(dialect: Dialect) -> None:
    answer = streamed(dialect.start, *dialect.text("Soon."), dialect.end())
    async with dialect.talking_to(answer) as (provider, server):
        assert (await told(provider, replace(REQUEST, messages=TOOL_ROUND)))[0] == ["Soon."]
    asked = json.dumps(server.requests[0])
    assert "on its way" in asked
    assert asked.count('"0.0"') + asked.count('"0_0"') == 2, "once with the call, once with its answer"


@with_tools
async def test_after_a_tool_answered_nothing_more_need_be_said_if_something_was(dialect: Dialect) -> None:
    spoke = (TOOL_ROUND[0], replace(TOOL_ROUND[1], text="It is on its way."), TOOL_ROUND[2])
    async with dialect.talking_to(streamed(dialect.start, dialect.end())) as (provider, _):
        pieces, finished = await told(provider, replace(REQUEST, messages=spoke))
    assert (pieces, finished.finish) == ([], "stop")
