"""Whatever a provider does on the wire, a reply ends whole or with an error that says whether to try again."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from domain.errors import DomainError, ProviderGarbage, ProviderRejected, ProviderUnavailable
from domain.llm.anthropic_messages import AnthropicProvider
from domain.llm.model import ChatMessage, Finished, ModelRequest, Provider, TextPiece, ToolRequest, ToolSpec
from domain.llm.openai_chat import OpenAIProvider
from domain.llm.wire import Patience
from tests.wire_server import Answer, WireServer, never, reset, serving, streamed, whole

REQUEST = ModelRequest(
    model="m",
    instructions="Be kind.",
    messages=(ChatMessage("user", "Hello?"),),
    tools=(ToolSpec("look_up", "Find an order.", {"type": "object", "properties": {"id": {"type": "string"}}}),),
    temperature=0.5,
)


def sse(*events: Any) -> bytes:
    """Events as OpenAI writes them."""
    return b"".join(b"data: " + (e if isinstance(e, str) else json.dumps(e)).encode() + b"\n\n" for e in events)


def named(*events: dict[str, Any]) -> bytes:
    """Events as Anthropic writes them."""
    return b"".join(b"event: " + e["type"].encode() + b"\ndata: " + json.dumps(e).encode() + b"\n\n" for e in events)


def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def block(text: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}


USAGE = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15, "prompt_tokens_details": {"cached_tokens": 8}}
OPENAI_END = sse(chunk({}, "stop"), {**chunk({}), "choices": [], "usage": USAGE}, "[DONE]")
ANTHROPIC_START = named(
    {
        "type": "message_start",
        "message": {
            "id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None,
            "usage": {"input_tokens": 4, "cache_read_input_tokens": 8, "output_tokens": 1},
        },
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
)  # fmt: skip
ANTHROPIC_END = named(
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}},
    {"type": "message_stop"},
)


class Dialect:
    """One of the two wire formats, with what a test needs to write it."""

    def __init__(self, name: str, make: Callable[..., Provider], start: bytes, end: bytes) -> None:
        self.name = name
        self.start = start
        self.end = end
        self._make = make

    def text(self, *words: str) -> list[bytes]:
        if self.name == "openai":
            return [sse(chunk({"content": word})) for word in words]
        return [named(block(word)) for word in words]

    @asynccontextmanager
    async def talking_to(
        self, *answers: Answer, first: float = 5, idle: float = 5
    ) -> AsyncIterator[tuple[Provider, WireServer]]:
        async with serving(*answers) as server:
            base = server.url + ("/v1" if self.name == "openai" else "")
            provider = self._make(api_key="k", base_url=base, default_model="m", patience=Patience(first, idle))
            try:
                yield provider, server
            finally:
                await provider.close()


DIALECTS = [
    Dialect("openai", OpenAIProvider, sse(chunk({"role": "assistant", "content": ""})), OPENAI_END),
    Dialect("anthropic", AnthropicProvider, ANTHROPIC_START, ANTHROPIC_END),
]
both = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)


async def told(provider: Provider, request: ModelRequest = REQUEST) -> tuple[str, Finished]:
    text = ""
    async for piece in provider.stream(request):
        if isinstance(piece, Finished):
            return text, piece
        assert piece.text, "a piece is never empty"
        text += piece.text
    raise AssertionError("a stream ends with Finished")


async def failing(dialect: Dialect, answer: Answer, *, first: float = 5, idle: float = 5) -> tuple[str, DomainError]:
    said = ""
    async with dialect.talking_to(answer, first=first, idle=idle) as (provider, _):
        try:
            async for piece in provider.stream(REQUEST):
                said += piece.text if isinstance(piece, TextPiece) else ""
        except DomainError as error:
            return said, error
    raise AssertionError(f"it did not fail, it said {said!r}")


@both
async def test_a_reply_streams_word_by_word_with_the_providers_own_usage(dialect: Dialect) -> None:
    answer = streamed(dialect.start, *dialect.text("Good", " day", ", Zoë!"), dialect.end)
    async with dialect.talking_to(answer) as (provider, server):
        text, finished = await told(provider)
    assert text == "Good day, Zoë!"
    assert finished.finish == "stop"
    assert (finished.usage.input_tokens, finished.usage.output_tokens, finished.usage.cached_tokens) == (12, 3, 8)
    asked = server.requests[0]
    assert asked["stream"] is True
    assert asked["temperature"] == 0.5
    assert "Be kind." in json.dumps(asked)
    assert len(server.requests) == 1


@both
async def test_characters_cut_in_two_by_the_network_come_whole(dialect: Dialect) -> None:
    data = (
        dialect.start
        + b"".join(dialect.text("Zoë 日本"))
        .replace(rb"\u00eb", "ë".encode())
        .replace(rb"\u65e5\u672c", "日本".encode())
        + dialect.end
    )
    async with dialect.talking_to(streamed(*(data[i : i + 1] for i in range(len(data))))) as (provider, _):
        assert (await told(provider))[0] == "Zoë 日本"


@both
@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
async def test_a_refusal_is_not_worth_another_attempt(dialect: Dialect, status: int) -> None:
    body = json.dumps({"type": "error", "error": {"type": "x", "message": "no"}})
    _, error = await failing(dialect, whole(status, body))
    assert isinstance(error, ProviderRejected)
    assert str(status) in error.detail


@both
@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
async def test_overload_is_worth_another_attempt(dialect: Dialect, status: int) -> None:
    async with dialect.talking_to(whole(status, "<html>busy</html>", type="text/html")) as (provider, server):
        with pytest.raises(ProviderUnavailable) as failure:
            await told(provider)
        assert failure.value.retry_after is None
        assert len(server.requests) == 1, "the SDK must not retry by itself"


@both
async def test_the_wish_for_a_pause_is_passed_on(dialect: Dialect) -> None:
    _, error = await failing(dialect, whole(429, "{}", retry_after="7"))
    assert isinstance(error, ProviderUnavailable)
    assert error.retry_after == 7


@both
async def test_a_connection_that_breaks_is_worth_another_attempt(dialect: Dialect) -> None:
    said, error = await failing(dialect, reset)
    assert (said, type(error)) == ("", ProviderUnavailable)
    said, error = await failing(dialect, streamed(dialect.start, *dialect.text("Half", " a"), ends="reset"))
    assert (said, type(error)) == ("Half a", ProviderUnavailable)
    said, error = await failing(dialect, streamed(dialect.start, *dialect.text("Half"), ends="cut"))
    assert (said, type(error)) == ("Half", ProviderUnavailable)


@both
async def test_nobody_listening_is_worth_another_attempt(dialect: Dialect) -> None:
    async with dialect.talking_to(never) as (provider, server):
        pass
    provider = dialect._make(api_key="k", base_url=server.url, default_model="m")
    with pytest.raises(ProviderUnavailable):
        await told(provider)
    await provider.close()


@both
async def test_silence_ends_after_the_given_time(dialect: Dialect) -> None:
    said, error = await failing(dialect, never, first=0.2)
    assert (said, type(error)) == ("", ProviderUnavailable)
    said, error = await failing(dialect, streamed(dialect.start, ends="stall"), first=0.2)
    assert (said, type(error)) == ("", ProviderUnavailable)
    said, error = await failing(dialect, streamed(dialect.start, *dialect.text("Well"), ends="stall"), idle=0.2)
    assert (said, type(error)) == ("Well", ProviderUnavailable)


@both
async def test_half_a_stream_is_garbage_however_politely_it_ends(dialect: Dialect) -> None:
    said, error = await failing(dialect, streamed(dialect.start, *dialect.text("Half")))
    assert (said, type(error)) == ("Half", ProviderGarbage)
    said, error = await failing(dialect, streamed(dialect.start, dialect.text("Half")[0][:-20]))
    assert (said, type(error)) == ("", ProviderGarbage)


@both
@pytest.mark.parametrize(
    "body",
    [
        b"data: {broken\n\nevent: x\ndata: {broken\n\n",
        b"data: [1, 2]\n\nevent: x\ndata: [1, 2]\n\n",
        b"<html>",
        b"\xff\xfe\n\n",
    ],
)
async def test_what_is_not_its_format_is_garbage(dialect: Dialect, body: bytes) -> None:
    _, error = await failing(dialect, streamed(body))
    assert isinstance(error, ProviderGarbage)


@both
async def test_a_whole_answer_instead_of_a_stream_is_garbage(dialect: Dialect) -> None:
    _, error = await failing(dialect, whole(200, json.dumps({"choices": [], "content": []})))
    assert isinstance(error, ProviderGarbage)


@both
async def test_what_breaks_after_the_end_was_said_does_not_matter(dialect: Dialect) -> None:
    end = dialect.end.partition(b"[DONE]")[0].removesuffix(b"data: ")
    async with dialect.talking_to(streamed(dialect.start, *dialect.text("Done."), end, ends="cut")) as (provider, _):
        text, finished = await told(provider)
    assert (text, finished.finish) == ("Done.", "stop")


@both
async def test_closing_the_reply_early_closes_the_connection(dialect: Dialect) -> None:
    answer = streamed(dialect.start, *dialect.text("One"), ends="stall")
    async with dialect.talking_to(answer) as (provider, server):
        stream = provider.stream(REQUEST)
        assert isinstance(stream, AsyncGenerator)
        assert isinstance(await anext(stream), TextPiece)
        await stream.aclose()
        await asyncio.wait_for(server.hung_up.wait(), timeout=5)


@both
async def test_a_reply_goes_on_after_what_readers_have_seen(dialect: Dialect) -> None:
    answer = streamed(dialect.start, *dialect.text("you", " can", " return it", " today."), dialect.end)
    async with dialect.talking_to(answer) as (provider, server):
        text, _ = await told(provider, replace(REQUEST, prefix="Yes, you"))
    assert "Yes, you" + text == "Yes, you can return it today."
    *_, partial, instruction = server.requests[0]["messages"]
    assert partial["role"] == "assistant"
    assert "Yes, you" in json.dumps(partial)
    assert instruction["role"] == "user"


async def test_openai_tool_calls_come_whole_out_of_fragments() -> None:
    def call(index: int, **parts: Any) -> dict[str, Any]:
        return chunk({"tool_calls": [{"index": index, **parts}]})

    answer = streamed(
        sse(call(0, id="a", type="function", function={"name": "look_up", "arguments": ""})),
        sse(call(0, function={"arguments": '{"id": "4'}), call(0, function={"arguments": '2"}'})),
        sse(call(1, id="b", type="function", function={"name": "now", "arguments": ""})),
        sse(chunk({}, "tool_calls"), "[DONE]"),
    )
    async with DIALECTS[0].talking_to(answer) as (provider, server):
        _, finished = await told(provider)
    assert finished.finish == "tool_calls"
    assert finished.tool_requests == (ToolRequest("a", "look_up", {"id": "42"}), ToolRequest("b", "now", {}))
    assert finished.usage.output_tokens == 0, "counted words, as no usage came"
    assert server.requests[0]["tools"][0]["function"]["name"] == "look_up"


async def test_anthropic_tool_calls_come_whole_out_of_fragments() -> None:
    def part(text: str) -> dict[str, Any]:
        return {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": text}}

    use = {"type": "tool_use", "id": "toolu_1", "name": "look_up", "input": {}}
    answer = streamed(
        ANTHROPIC_START,
        named(block("Let me see."), {"type": "content_block_start", "index": 1, "content_block": use}),
        named(part('{"id": '), part('"42"}')),
        named({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}}),
    )
    async with DIALECTS[1].talking_to(answer) as (provider, server):
        text, finished = await told(provider)
    assert text == "Let me see."
    assert finished.finish == "tool_calls"
    assert finished.tool_requests == (ToolRequest("toolu_1", "look_up", {"id": "42"}),)
    assert server.requests[0]["tools"][0]["input_schema"]["type"] == "object"


async def test_broken_arguments_of_a_tool_are_garbage() -> None:
    call = {"index": 0, "id": "a", "type": "function", "function": {"name": "look_up", "arguments": '{"id": '}}
    _, error = await failing(
        DIALECTS[0], streamed(sse(chunk({"tool_calls": [call]}), chunk({}, "tool_calls"), "[DONE]"))
    )
    assert isinstance(error, ProviderGarbage)


async def test_an_error_event_in_the_middle_says_by_its_type_whether_to_try_again() -> None:
    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    said, error = await failing(DIALECTS[1], streamed(ANTHROPIC_START, named(block("Well"), overloaded)))
    assert (said, type(error)) == ("Well", ProviderUnavailable)
    invalid = {"type": "error", "error": {"type": "invalid_request_error", "message": "No"}}
    _, error = await failing(DIALECTS[1], streamed(ANTHROPIC_START, named(invalid)))
    assert isinstance(error, ProviderRejected)
    _, error = await failing(DIALECTS[0], streamed(sse({"error": {"type": "server_error", "message": "Overloaded"}})))
    assert isinstance(error, ProviderUnavailable)


@both
async def test_tool_results_go_back_in_the_providers_own_shape(dialect: Dialect) -> None:
    messages = (
        ChatMessage("user", "Where is 42?"),
        ChatMessage("assistant", "", tool_requests=(ToolRequest("0.0", "look_up", {"id": "42"}),)),
        ChatMessage("tool", "on its way", tool_request_id="0.0"),
    )
    async with dialect.talking_to(streamed(dialect.start, *dialect.text("Soon."), dialect.end)) as (provider, server):
        await told(provider, replace(REQUEST, messages=messages))
    asked, answered = server.requests[0]["messages"][-2:]
    if dialect.name == "openai":
        assert asked["tool_calls"][0]["id"] == answered["tool_call_id"] == "0.0"
        assert json.loads(asked["tool_calls"][0]["function"]["arguments"]) == {"id": "42"}
    else:
        assert asked["content"][0]["id"] == answered["content"][0]["tool_use_id"] == "0_0"
        assert answered["role"] == "user"
    await asyncio.sleep(0)
