"""The wire formats of the providers as a test writes them: text, tools, thoughts, ends and errors in each one's own
words, and the real provider that reads them. Not for what a provider does wrong: that is `faults.py`."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

from domain.llm.anthropic_messages import AnthropicProvider
from domain.llm.gemini import GeminiProvider
from domain.llm.model import Provider
from domain.llm.openai_chat import OpenAIProvider
from domain.llm.openai_responses import ResponsesProvider
from domain.llm.preset import DEEPSEEK, PERPLEXITY
from domain.llm.wire import PATIENCE, Patience
from tests.wire_server import Answer, WireServer, serving


def sse(*events: Any) -> bytes:
    """Events as OpenAI writes them."""
    return b"".join(b"data: " + (e if isinstance(e, str) else json.dumps(e)).encode() + b"\n\n" for e in events)


def named(*events: dict[str, Any]) -> bytes:
    """Events with their type as their name, as Anthropic and Responses write them."""
    return b"".join(b"event: " + e["type"].encode() + b"\ndata: " + json.dumps(e).encode() + b"\n\n" for e in events)


def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


class Dialect:
    """One wire format. Every whole reply counts 12 tokens in, 8 of them cached, and 3 out."""

    name: ClassVar[str]
    path: ClassVar[str] = "/v1"
    takes_tools: ClassVar[bool] = True
    start: bytes

    def provider(self, url: str, patience: Patience = PATIENCE) -> Provider:
        raise NotImplementedError

    def text(self, *words: str) -> list[bytes]:
        raise NotImplementedError

    def thought(self, text: str) -> bytes:
        raise NotImplementedError

    def tool(self, place: int, id: str, name: str, *fragments: str) -> bytes:
        raise NotImplementedError

    def end(self, reason: str = "stop") -> bytes:
        """reason: stop, tools, length or filter."""
        raise NotImplementedError

    @property
    def nothing(self) -> bytes:
        """An event that says nothing."""
        raise NotImplementedError

    def error_event(self, type: str) -> bytes:
        raise NotImplementedError

    def error_body(self, type: str) -> str:
        return json.dumps({"type": "error", "error": {"type": type, "code": type, "message": "No."}})

    @asynccontextmanager
    async def talking_to(
        self, *answers: Answer, patience: Patience = PATIENCE
    ) -> AsyncIterator[tuple[Provider, WireServer]]:
        async with serving(*answers) as server:
            provider = self.provider(server.url + self.path, patience)
            try:
                yield provider, server
            finally:
                await provider.close()


class OpenAIChat(Dialect):
    name = "openai"
    start = sse(chunk({"role": "assistant", "content": ""}))
    usage: ClassVar[dict[str, Any]] = {
        "prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15, "prompt_tokens_details": {"cached_tokens": 8},
    }  # fmt: skip
    reasons: ClassVar[dict[str, str]] = {"tools": "tool_calls", "filter": "content_filter"}

    def provider(self, url: str, patience: Patience = PATIENCE) -> Provider:
        return OpenAIProvider(api_key="k", base_url=url, default_model="m", patience=patience, name=self.name)

    def text(self, *words: str) -> list[bytes]:
        return [sse(chunk({"content": word})) for word in words]

    def thought(self, text: str) -> bytes:
        return sse(chunk({"reasoning": text}))

    def tool(self, place: int, id: str, name: str, *fragments: str) -> bytes:
        first = {"index": place, "id": id, "type": "function", "function": {"name": name, "arguments": ""}}
        rest = [{"index": place, "function": {"arguments": fragment}} for fragment in fragments]
        return sse(*(chunk({"tool_calls": [each]}) for each in (first, *rest)))

    def end(self, reason: str = "stop") -> bytes:
        usage = {**chunk({}), "choices": [], "usage": self.usage}
        return sse(chunk({}, self.reasons.get(reason, reason)), usage, "[DONE]")

    @property
    def nothing(self) -> bytes:
        return sse(chunk({"content": ""}))

    def error_event(self, type: str) -> bytes:
        return sse({"error": {"type": type, "message": "No."}})


class DeepSeek(OpenAIChat):
    name = "deepseek"
    start = b": keep-alive\n\n" + OpenAIChat.start
    usage: ClassVar[dict[str, Any]] = {
        "prompt_tokens": 12, "completion_tokens": 3, "prompt_cache_hit_tokens": 8, "prompt_cache_miss_tokens": 4,
        "completion_tokens_details": {"reasoning_tokens": 2},
    }  # fmt: skip

    def provider(self, url: str, patience: Patience = PATIENCE) -> Provider:
        return OpenAIProvider(
            api_key="k", base_url=url, default_model="m", patience=patience, name=self.name, preset=DEEPSEEK
        )

    def thought(self, text: str) -> bytes:
        return sse(chunk({"content": None, "reasoning_content": text}))


class Perplexity(OpenAIChat):
    """Counts and search results come with every chunk."""

    name = "perplexity"
    path = ""
    takes_tools = False
    results: ClassVar[list[dict[str, str]]] = [
        {"title": "Returns", "url": "https://shop.example/returns", "date": "2026-01-01"},
        {"title": "", "url": "https://shop.example/terms"},
    ]

    def provider(self, url: str, patience: Patience = PATIENCE) -> Provider:
        return OpenAIProvider(
            api_key="k", base_url=url, default_model="m", patience=patience, name=self.name, preset=PERPLEXITY
        )

    def text(self, *words: str) -> list[bytes]:
        found = {"citations": [each["url"] for each in self.results], "search_results": self.results}
        return [sse({**chunk({"content": word}), "usage": self.usage, **found}) for word in words]

    def thought(self, text: str) -> bytes:
        return b"".join(self.text("<thi", f"nk>{text}</th", "ink>\n\n"))

    def end(self, reason: str = "stop") -> bytes:
        return sse({**chunk({}, self.reasons.get(reason, reason)), "usage": self.usage})


class Responses(Dialect):
    name = "openai_responses"
    start = named(
        {"type": "response.created", "sequence_number": 0, "response": {"id": "r", "status": "in_progress"}},
        {"type": "response.in_progress", "sequence_number": 1, "response": {"id": "r", "status": "in_progress"}},
    )
    usage: ClassVar[dict[str, Any]] = {
        "input_tokens": 12, "input_tokens_details": {"cached_tokens": 8},
        "output_tokens": 3, "output_tokens_details": {"reasoning_tokens": 1}, "total_tokens": 15,
    }  # fmt: skip

    def provider(self, url: str, patience: Patience = PATIENCE) -> Provider:
        return ResponsesProvider(api_key="k", base_url=url, default_model="m", patience=patience, name=self.name)

    def text(self, *words: str) -> list[bytes]:
        return [
            named({"type": "response.output_text.delta", "output_index": 1, "content_index": 0, "delta": word})
            for word in words
        ]

    def thought(self, text: str) -> bytes:
        return named(
            {"type": "response.output_item.added", "output_index": 0, "item": {"type": "reasoning", "summary": []}},
            {"type": "response.reasoning_summary_text.delta", "output_index": 0, "delta": text},
        )

    def tool(self, place: int, id: str, name: str, *fragments: str) -> bytes:
        item = {"type": "function_call", "id": f"fc_{place}", "call_id": id, "name": name, "arguments": ""}
        whole = {
            "type": "response.function_call_arguments.done",
            "output_index": place,
            "arguments": "".join(fragments),
        }
        return named(
            {"type": "response.output_item.added", "output_index": place, "item": item},
            *(
                {"type": "response.function_call_arguments.delta", "output_index": place, "delta": fragment}
                for fragment in fragments
            ),
            whole,
        )

    def end(self, reason: str = "stop") -> bytes:
        why = {"length": "max_output_tokens", "filter": "content_filter"}.get(reason)
        response = {"id": "r", "status": "incomplete" if why else "completed", "usage": self.usage}
        if why:
            response["incomplete_details"] = {"reason": why}
        return named({"type": f"response.{response['status']}", "response": response})

    @property
    def nothing(self) -> bytes:
        return named({"type": "response.in_progress", "response": {"id": "r", "status": "in_progress"}})

    def error_event(self, type: str) -> bytes:
        error = {"code": type, "message": "No."}
        return named({"type": "response.failed", "response": {"id": "r", "status": "failed", "error": error}})


class Anthropic(Dialect):
    name = "anthropic"
    path = ""
    start = named(
        {
            "type": "message_start",
            "message": {
                "id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None,
                "usage": {"input_tokens": 4, "cache_read_input_tokens": 8, "output_tokens": 1},
            },
        },
        {"type": "ping"},
    )  # fmt: skip
    reasons: ClassVar[dict[str, str]] = {
        "stop": "end_turn", "tools": "tool_use", "length": "max_tokens", "filter": "refusal",
    }  # fmt: skip

    def provider(self, url: str, patience: Patience = PATIENCE) -> Provider:
        return AnthropicProvider(api_key="k", base_url=url, default_model="m", patience=patience, name=self.name)

    def _block(self, place: int, block: dict[str, Any], *deltas: dict[str, Any]) -> bytes:
        return named(
            {"type": "content_block_start", "index": place, "content_block": block},
            *({"type": "content_block_delta", "index": place, "delta": delta} for delta in deltas),
        )

    def text(self, *words: str) -> list[bytes]:
        """Deltas of one block, whose start comes with the first of them."""
        deltas = [
            named({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}})
            for word in words
        ]
        return [self._block(0, {"type": "text", "text": ""}) + deltas[0], *deltas[1:]]

    def thought(self, text: str) -> bytes:
        return self._block(0, {"type": "thinking", "thinking": ""}, {"type": "thinking_delta", "thinking": text})

    def tool(self, place: int, id: str, name: str, *fragments: str) -> bytes:
        parts = [{"type": "input_json_delta", "partial_json": fragment} for fragment in fragments]
        return self._block(place + 1, {"type": "tool_use", "id": id, "name": name, "input": {}}, *parts)

    def end(self, reason: str = "stop") -> bytes:
        return named(
            {"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": self.reasons[reason]}, "usage": {"output_tokens": 3}},
            {"type": "message_stop"},
        )

    @property
    def nothing(self) -> bytes:
        return named({"type": "ping"})

    def error_event(self, type: str) -> bytes:
        return named({"type": "error", "error": {"type": type, "message": "No."}})


class Gemini(Dialect):
    """Tool calls come whole; kinds of errors are statuses with a name."""

    name = "gemini"
    path = ""
    start = sse({"usageMetadata": {"promptTokenCount": 12}, "modelVersion": "m", "responseId": "r"})
    usage: ClassVar[dict[str, int]] = {
        "promptTokenCount": 12, "candidatesTokenCount": 3, "cachedContentTokenCount": 8, "totalTokenCount": 15,
    }  # fmt: skip
    reasons: ClassVar[dict[str, str]] = {"stop": "STOP", "tools": "STOP", "length": "MAX_TOKENS", "filter": "SAFETY"}
    statuses: ClassVar[dict[str, tuple[int, str]]] = {
        "overloaded_error": (503, "UNAVAILABLE"),
        "rate_limit_error": (429, "RESOURCE_EXHAUSTED"),
        "rate_limit_exceeded": (429, "RESOURCE_EXHAUSTED"),
        "insufficient_quota": (429, "RESOURCE_EXHAUSTED"),
        "authentication_error": (401, "UNAUTHENTICATED"),
        "permission_error": (403, "PERMISSION_DENIED"),
        "not_found_error": (404, "NOT_FOUND"),
        "request_too_large": (413, "INVALID_ARGUMENT"),
        "invalid_request_error": (400, "INVALID_ARGUMENT"),
    }

    def provider(self, url: str, patience: Patience = PATIENCE) -> Provider:
        return GeminiProvider(api_key="k", base_url=url, default_model="m", patience=patience, name=self.name)

    def _parts(self, *parts: dict[str, Any], **more: Any) -> bytes:
        return sse({"candidates": [{"content": {"role": "model", "parts": list(parts)}, "index": 0, **more}]})

    def text(self, *words: str) -> list[bytes]:
        return [self._parts({"text": word}) for word in words]

    def thought(self, text: str) -> bytes:
        return self._parts({"text": text, "thought": True})

    def tool(self, place: int, id: str, name: str, *fragments: str) -> bytes:
        return self._parts({"functionCall": {"id": id, "name": name, "args": json.loads("".join(fragments))}})

    def end(self, reason: str = "stop") -> bytes:
        candidate = {"content": {"role": "model", "parts": []}, "finishReason": self.reasons[reason], "index": 0}
        return sse({"candidates": [candidate], "usageMetadata": self.usage})

    @property
    def nothing(self) -> bytes:
        return self._parts({"text": ""})

    def error_event(self, type: str) -> bytes:
        return sse(self._error(type))

    def error_body(self, type: str) -> str:
        return json.dumps(self._error(type))

    def _error(self, type: str) -> dict[str, Any]:
        code, status = self.statuses.get(type, (500, "UNKNOWN"))
        return {"error": {"code": code, "message": "No.", "status": status, "details": []}}


DIALECTS: list[Dialect] = [OpenAIChat(), Responses(), DeepSeek(), Perplexity(), Anthropic(), Gemini()]
