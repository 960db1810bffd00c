"""What only Gemini's wire format knows, over its real SDK: its statuses, its reasons to stop, its parts and its pauses.

The faults that every provider shares are in `test_faults.py`.
"""

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from domain.errors import FailureKind, ProviderFailure, ProviderGarbage
from domain.llm.gemini import GeminiProvider
from domain.llm.model import (
    Attachment,
    ChatMessage,
    Finished,
    ModelRequest,
    Reasoning,
    TextPiece,
    ToolRequest,
    ToolSpec,
)
from domain.llm.wire import Patience
from tests.wire_server import Answer, WireServer, serving, streamed, whole

REQUEST = ModelRequest(
    model="gemini-2.5-flash",
    instructions="Be kind.",
    messages=(ChatMessage("user", "Hello?"),),
    tools=(ToolSpec("look_up", "Find an order.", {"type": "object", "properties": {"id": {"type": "string"}}}),),
    temperature=0.5,
)
USAGE = {
    "promptTokenCount": 12,
    "candidatesTokenCount": 3,
    "thoughtsTokenCount": 5,
    "cachedContentTokenCount": 8,
    "totalTokenCount": 20,
}


def event(*parts: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return data({"candidates": [candidate], "modelVersion": "gemini-2.5-flash", "responseId": "r", **more})


def data(body: Any) -> bytes:
    return b"data: " + json.dumps(body, ensure_ascii=False).encode() + b"\r\n\r\n"


END = event({"text": ""}, finish="STOP", usageMetadata=USAGE)


def silent(*pieces: bytes) -> Answer:
    """Events, and then empty lines; its SDK takes no comments between events, as its server sends none."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        await streamed(*pieces, ends="open")(writer)
        while True:
            writer.write(b"2\r\n\r\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.05)

    return answer


def error_body(code: int, status: str, *details: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"code": code, "message": "no", "status": status, "details": list(details)}}


@asynccontextmanager
async def talking_to(
    *answers: Answer, patience: Patience | None = None
) -> AsyncIterator[tuple[GeminiProvider, WireServer]]:
    async with serving(*answers) as server:
        provider = GeminiProvider(
            api_key="k", base_url=server.url, default_model="m", patience=patience or Patience(5, 5)
        )
        try:
            yield provider, server
        finally:
            await provider.close()


async def told(provider: GeminiProvider, request: ModelRequest = REQUEST) -> tuple[str, Finished]:
    text = ""
    async for piece in provider.stream(request):
        if isinstance(piece, Finished):
            return text, piece
        text += piece.text
    raise AssertionError("a stream ends with Finished")


async def failing(answer: Answer, patience: Patience | None = None) -> tuple[str, ProviderFailure]:
    said = ""
    async with talking_to(answer, patience=patience) as (provider, server):
        with pytest.raises(ProviderFailure) as failure:  # noqa: PT012  what was said before it failed counts
            async for piece in provider.stream(REQUEST):
                said += piece.text if isinstance(piece, TextPiece) else ""
    assert len(server.requests) == 1, "the SDK must not retry by itself"
    return said, failure.value


async def test_a_reply_streams_with_its_usage_and_keeps_its_thoughts_to_itself() -> None:
    answer = streamed(
        event({"text": "Let me think.", "thought": True}), event({"text": "Good"}), event({"text": " day, Zoë!"}), END
    )
    async with talking_to(answer) as (provider, server):
        text, finished = await told(provider)
    assert (text, finished.finish) == ("Good day, Zoë!", "stop")
    used = finished.usage
    assert (used.input_tokens, used.output_tokens, used.cached_tokens, used.reasoning_tokens) == (12, 8, 8, 5)
    assert "/models/gemini-2.5-flash:streamGenerateContent?alt=sse" in server.lines[0]
    assert server.headers[0]["x-goog-api-key"] == "k"
    asked = server.requests[0]
    assert asked["systemInstruction"]["parts"][0]["text"] == "Be kind."
    assert asked["generationConfig"]["temperature"] == 0.5
    assert asked["tools"][0]["functionDeclarations"][0]["name"] == "look_up"


@pytest.mark.parametrize(
    ("status", "name", "kind"),
    [
        (400, "INVALID_ARGUMENT", "bad_request"),
        (401, "UNAUTHENTICATED", "auth"),
        (403, "PERMISSION_DENIED", "auth"),
        (429, "RESOURCE_EXHAUSTED", "rate"),
        (503, "UNAVAILABLE", "overload"),
        (504, "DEADLINE_EXCEEDED", "timeout"),
    ],
)
async def test_each_status_has_its_kind(status: int, name: str, kind: FailureKind) -> None:
    for body in (json.dumps([error_body(status, name)]), "<html>busy</html>", ""):
        _, error = await failing(whole(status, body))
        assert error.kind == kind
        assert str(status) in error.detail


async def test_a_bad_key_is_told_from_a_bad_request_though_both_are_400() -> None:
    reason = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
    _, error = await failing(whole(400, json.dumps(error_body(400, "INVALID_ARGUMENT", reason))))
    assert error.kind == "auth"


async def test_the_wish_for_a_pause_is_passed_on_from_the_body_and_from_the_header() -> None:
    wish = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}
    _, error = await failing(whole(429, json.dumps(error_body(429, "RESOURCE_EXHAUSTED", wish))))
    assert error.retry_after == 34.5
    _, error = await failing(whole(429, json.dumps(error_body(429, "RESOURCE_EXHAUSTED")), retry_after="7"))
    assert error.retry_after == 7


@pytest.mark.parametrize(
    ("answer", "said", "kind"),
    [
        (streamed(event({"text": "Well"}), data(error_body(503, "UNAVAILABLE"))), "Well", "overload"),
        (streamed(data(error_body(400, "INVALID_ARGUMENT"))), "", "bad_request"),
        (streamed(data({"error": {"message": "?"}})), "", "garbage"),
        (streamed(data({"error": "?"})), "", "garbage"),
        (streamed(b'data: {"candidates": "none"}\n\n'), "", "garbage"),
        (streamed(data({"candidates": []})), "", "garbage"),
        (streamed(event(finish="STOP")), "", "garbage"),
        (streamed(event(finish="MALFORMED_FUNCTION_CALL")), "", "garbage"),
        (streamed(event(finish="SAFETY")), "", "content_filter"),
        (streamed(data({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}})), "", "content_filter"),
        (whole(200, json.dumps({"candidates": []})), "", "garbage"),
        (whole(200, ""), "", "garbage"),
    ],
    ids=str,
)
async def test_what_breaks_on_the_wire_has_its_kind(answer: Answer, said: str, kind: FailureKind) -> None:
    heard, error = await failing(answer, Patience(0.3, 0.3))
    assert (heard, error.kind) == (said, kind)


async def test_closing_the_reply_early_closes_the_connection() -> None:
    async with talking_to(silent(event({"text": "One"}))) as (provider, server):
        stream = provider.stream(REQUEST)
        assert isinstance(stream, AsyncGenerator)
        assert isinstance(await anext(stream), TextPiece)
        await stream.aclose()
        await asyncio.wait_for(server.hung_up.wait(), timeout=5)


async def test_a_reply_goes_on_after_what_readers_have_seen() -> None:
    answer = streamed(event({"text": "you"}), event({"text": " can return it."}), END)
    async with talking_to(answer) as (provider, server):
        text, _ = await told(provider, replace(REQUEST, prefix="Yes, you"))
    assert "Yes, you" + text == "Yes, you can return it."
    *_, partial, instruction = server.requests[0]["contents"]
    assert (partial["role"], instruction["role"]) == ("model", "user")


async def test_tool_calls_get_ids_and_the_same_call_twice_is_one() -> None:
    call = {"functionCall": {"id": "a", "name": "look_up", "args": {"id": "42"}}}
    other = {"functionCall": {"name": "look_up", "args": {"id": "43"}}, "thoughtSignature": "c2ln"}
    async with talking_to(streamed(event(call, call), event(other), END)) as (provider, _):
        _, finished = await told(provider)
    assert finished.finish == "tool_calls"
    assert [(r.name, r.arguments) for r in finished.tool_requests] == [("look_up", {"id": n}) for n in ("42", "43")]
    assert len({r.id for r in finished.tool_requests}) == 2


async def test_a_call_without_a_name_is_garbage() -> None:
    _, error = await failing(streamed(event({"functionCall": {"args": {}}}), END))
    assert isinstance(error, ProviderGarbage)


async def test_tool_results_go_back_under_the_tools_name() -> None:
    messages = (
        ChatMessage("user", "Where is 42?"),
        ChatMessage("assistant", "", tool_requests=(ToolRequest("0.0", "look_up", {"id": "42"}),)),
        ChatMessage("tool", "on its way", tool_request_id="0.0"),
    )
    async with talking_to(streamed(event({"text": "Soon."}), END)) as (provider, server):
        await told(provider, replace(REQUEST, messages=messages))
    asked, answered = server.requests[0]["contents"][-2:]
    assert asked["parts"][0]["functionCall"]["args"] == {"id": "42"}
    signature = asked["parts"][0]["thoughtSignature"]
    assert base64.b64decode(signature) == b"skip_thought_signature_validator"
    assert answered["parts"][0]["functionResponse"]["name"] == "look_up"
    assert answered["parts"][0]["functionResponse"]["response"] == {"result": "on its way"}


@pytest.mark.parametrize(
    ("model", "reasoning", "sent"),
    [
        ("gemini-2.5-flash", "none", {"thinking_budget": 0}),
        ("gemini-2.5-pro", "none", {"thinking_budget": 128}),
        ("gemini-2.5-pro", "high", {"thinking_budget": 24_576}),
        ("gemini-3.8-flash", "low", {"thinking_level": "LOW"}),
    ],
)
async def test_reasoning_is_asked_for_in_the_words_of_the_generation(
    model: str, reasoning: Reasoning, sent: dict[str, Any]
) -> None:
    async with talking_to(streamed(event({"text": "Yes."}), END)) as (provider, server):
        await told(provider, replace(REQUEST, model=model, reasoning=reasoning))
        await told(provider)
    assert server.requests[0]["generationConfig"]["thinkingConfig"] == sent
    assert "thinkingConfig" not in server.requests[1]["generationConfig"]


async def test_a_schema_is_asked_for_as_it_is() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    async with talking_to(streamed(event({"text": '{"city": "Bremen"}'}), END)) as (provider, server):
        text, _ = await told(provider, replace(REQUEST, tools=(), output_schema=schema))
    assert json.loads(text) == {"city": "Bremen"}
    sent = server.requests[0]["generationConfig"]
    assert (sent["responseMimeType"], sent["responseJsonSchema"]) == ("application/json", schema)


async def test_images_and_files_go_with_the_message() -> None:
    seen = ChatMessage("user", "What is it?", attachments=(Attachment("image/png", b"\x89PNG"),))
    async with talking_to(streamed(event({"text": "A cat."}), END)) as (provider, server):
        await told(provider, replace(REQUEST, messages=(seen,)))
    inline = server.requests[0]["contents"][0]["parts"][1]["inlineData"]
    assert (inline["mime_type"], base64.b64decode(inline["data"])) == ("image/png", b"\x89PNG")
