"""OpenAI's Chat Completions, and every server that speaks it. Not for the Responses API."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import openai

from contracts.turn import FinishReason, Usage
from domain.errors import DomainError, ProviderGarbage, ProviderUnavailable
from domain.llm.failure import from_event, from_status
from domain.llm.model import ChatMessage, Finished, ModelRequest, Piece
from domain.llm.resume import GO_ON
from domain.llm.scripted import counted
from domain.llm.tool_calls import ToolFragments
from domain.llm.transport import bounded
from domain.llm.wire import PATIENCE, EventStream, Pace, Patience, count_of, field, reply

_CONNECT_SECONDS = 10.0
_FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


class OpenAIProvider:
    """name: what this process calls it by."""

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str | None,
        default_model: str,
        name: str = "openai",
        patience: Patience = PATIENCE,
    ) -> None:
        self.name = name
        self.default_model = default_model
        self._patience = patience
        self._client = openai.AsyncOpenAI(
            api_key=api_key,
            base_url=base_url,
            max_retries=0,
            # Silence is measured here, over whole events; the transport only guards the handshake.
            timeout=httpx2.Timeout(None, connect=_CONNECT_SECONDS),
            http_client=bounded(openai.DefaultAsyncHttpxClient()),
        )
        # Compatible servers know only the old name of the limit; OpenAI's reasoning models only the new one.
        is_openai = (self._client.base_url.host or "").endswith("openai.com")
        self._limit_name = "max_completion_tokens" if is_openai else "max_tokens"

    def stream(self, request: ModelRequest) -> AsyncIterator[Piece]:
        """See `Provider.stream`."""

        async def ask() -> EventStream:
            stream: EventStream = await self._client.chat.completions.create(**self._body(request))
            return stream

        return reply("OpenAI", request, _Reader(), Pace(self._patience), ask, _classify)

    async def close(self) -> None:
        """Idempotent."""
        await self._client.close()

    def _body(self, request: ModelRequest) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": request.model,
            "messages": _messages(request),
            "stream": True,
            "stream_options": {"include_usage": True},
            self._limit_name: request.max_output_tokens,
        }
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if request.tools:
            body["tools"] = [
                {
                    "type": "function",
                    "function": {"name": t.name, "description": t.description, "parameters": t.parameters},
                }
                for t in request.tools
            ]
        return body


def _messages(request: ModelRequest) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = [{"role": "system", "content": request.instructions}]
    messages += [_message(message) for message in request.messages]
    if request.prefix.strip():
        messages += [{"role": "assistant", "content": request.prefix}, {"role": "user", "content": GO_ON}]
    return messages


def _message(message: ChatMessage) -> dict[str, Any]:
    if message.role == "tool":
        return {"role": "tool", "tool_call_id": message.tool_request_id or "", "content": message.text}
    if message.tool_requests:
        calls = [
            {"id": r.id, "type": "function", "function": {"name": r.name, "arguments": json.dumps(r.arguments)}}
            for r in message.tool_requests
        ]
        return {"role": "assistant", "content": message.text or None, "tool_calls": calls}
    return {"role": message.role, "content": message.text}


class _Reader:
    """Chunks of one chat completion."""

    def __init__(self) -> None:
        self._tools = ToolFragments("OpenAI")
        self._finish: FinishReason | None = None
        self._refused = False
        self._usage: object = None
        self._said: list[str] = []
        self.begun = False

    @property
    def complete(self) -> bool:
        return self._finish is not None

    def read(self, event: Any) -> str:
        self._usage = field(event, "usage") or self._usage
        choices = field(event, "choices")
        if choices is None and self._usage is not None:
            return ""
        if not isinstance(choices, list):
            raise ProviderGarbage("OpenAI sent a chunk without choices.")
        return "".join(self._read_choice(choice) for choice in choices[:1])

    def _read_choice(self, choice: object) -> str:
        delta = field(choice, "delta")
        reason = field(choice, "finish_reason")
        if reason is not None:
            self._finish = _FINISH.get(str(reason), "stop")
        calls = field(delta, "tool_calls") or ()
        for place, call in enumerate(calls):
            index, function = field(call, "index"), field(call, "function")
            self._tools.add(
                index if isinstance(index, int) else place,
                id=field(call, "id"),
                name=field(function, "name"),
                fragment=field(function, "arguments"),
            )
        refusal = field(delta, "refusal")
        self._refused = self._refused or bool(refusal)
        text = field(delta, "content") or refusal or ""
        if not isinstance(text, str):
            raise ProviderGarbage("OpenAI sent content that is not text.")
        self._said.append(text)
        self.begun = self.begun or bool(text or calls)
        return text

    def finished(self, request: ModelRequest) -> Finished:
        finish: FinishReason = self._finish or "stop"
        tools = self._tools.requests(request.tools, cut=finish == "length")
        if tools:
            finish = "tool_calls"  # some compatible servers say "stop" here
        elif self._refused:
            finish = "refused"
        return Finished(finish, self._counted(request), tools)

    def _counted(self, request: ModelRequest) -> Usage:
        if self._usage is None:
            return counted(request, "".join(self._said))
        return Usage(
            input_tokens=count_of(self._usage, "prompt_tokens"),
            output_tokens=count_of(self._usage, "completion_tokens"),
            cached_tokens=count_of(field(self._usage, "prompt_tokens_details"), "cached_tokens"),
        )


def _classify(error: Exception) -> DomainError | None:
    if isinstance(error, openai.APIStatusError):
        return from_status(
            "OpenAI", error.status_code, error.message, error.response.headers, types=(error.code, error.type)
        )
    if isinstance(error, openai.APIConnectionError):
        return ProviderUnavailable(f"OpenAI could not be reached ({type(error.__cause__ or error).__name__}).")
    if isinstance(error, openai.APIResponseValidationError):
        return ProviderGarbage("OpenAI answered what is not its own format.")
    if isinstance(error, openai.APIError):
        return from_event("OpenAI", (error.code, error.type), error.message)
    return None
