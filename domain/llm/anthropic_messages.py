"""Anthropic's Messages API. What it is sent is made in `anthropic_request.py`."""

from collections.abc import AsyncIterator
from typing import Any

import anthropic
import httpx2

from contracts.turn import FinishReason, Usage
from domain.errors import DomainError, ProviderGarbage, ProviderUnavailable
from domain.llm.anthropic_request import message_body
from domain.llm.failure import from_event, from_status
from domain.llm.model import Finished, ModelRequest, Piece
from domain.llm.tool_calls import ToolFragments
from domain.llm.transport import bounded
from domain.llm.wire import PATIENCE, EventStream, Pace, Patience, count_of, field, reply

_CONNECT_SECONDS = 10.0
_FINISH: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "refused",
}


class AnthropicProvider:
    """name: what this process calls it by."""

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str | None,
        default_model: str,
        name: str = "anthropic",
        patience: Patience = PATIENCE,
    ) -> None:
        self.name = name
        self.default_model = default_model
        self._patience = patience
        self._client = anthropic.AsyncAnthropic(
            api_key=api_key,
            base_url=base_url,
            max_retries=0,
            # Silence is measured here, over whole events; the transport only guards the handshake.
            timeout=httpx2.Timeout(None, connect=_CONNECT_SECONDS),
            http_client=bounded(anthropic.DefaultAsyncHttpxClient()),
        )

    def stream(self, request: ModelRequest) -> AsyncIterator[Piece]:
        """See `Provider.stream`."""

        async def ask() -> EventStream:
            stream: EventStream = await self._client.messages.create(**message_body(request))
            return stream

        return reply("Anthropic", request, _Reader(), Pace(self._patience), ask, _classify)

    async def close(self) -> None:
        """Idempotent."""
        await self._client.close()


class _Reader:
    """Events of one message."""

    def __init__(self) -> None:
        self._tools = ToolFragments("Anthropic")
        self._finish: FinishReason | None = None
        self._input_usage: object = None
        self._output_usage: object = None
        self.begun = False

    @property
    def complete(self) -> bool:
        return self._finish is not None

    def read(self, event: Any) -> str:
        kind = field(event, "type")
        if not isinstance(kind, str):
            raise ProviderGarbage("Anthropic sent an event without a type.")
        if kind == "message_start":
            self._input_usage = field(field(event, "message"), "usage")
        elif kind == "content_block_start":
            self.begun = True
            block = field(event, "content_block")
            if field(block, "type") == "tool_use":
                self._tools.add(_index(event), id=field(block, "id"), name=field(block, "name"))
            elif field(block, "type") == "text":
                return _text(field(block, "text") or "")
        elif kind == "content_block_delta":
            return self._read_delta(event)
        elif kind == "message_delta":
            self._output_usage = field(event, "usage") or self._output_usage
            reason = field(field(event, "delta"), "stop_reason")
            if reason is not None:
                self._finish = _FINISH.get(str(reason), "stop")
        return ""

    def _read_delta(self, event: Any) -> str:
        delta = field(event, "delta")
        kind = field(delta, "type")
        if kind == "input_json_delta":
            self._tools.add(_index(event), fragment=_text(field(delta, "partial_json")))
        return _text(field(delta, "text")) if kind == "text_delta" else ""

    def finished(self, request: ModelRequest) -> Finished:
        cached = count_of(self._input_usage, "cache_read_input_tokens")
        written = count_of(self._input_usage, "cache_creation_input_tokens")
        usage = Usage(
            # Its own count leaves out what the cache served; ours, like OpenAI's, is all of the input.
            input_tokens=count_of(self._input_usage, "input_tokens") + cached + written,
            output_tokens=count_of(self._output_usage, "output_tokens") or count_of(self._input_usage, "output_tokens"),
            cached_tokens=cached,
            cache_written_tokens=written,
            reasoning_tokens=count_of(field(self._output_usage, "output_tokens_details"), "thinking_tokens"),
        )
        tools = self._tools.requests(request.tools, cut=self._finish == "length", usage=usage)
        return Finished("tool_calls" if tools else self._finish or "stop", usage, tools)


def _index(event: object) -> int:
    index = field(event, "index")
    if not isinstance(index, int):
        raise ProviderGarbage("Anthropic sent a block without its number.")
    return index


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ProviderGarbage("Anthropic sent content that is not text.")
    return value


def _classify(error: Exception) -> DomainError | None:
    if isinstance(error, anthropic.APIStatusError):
        body = field(error.body, "error")
        kind = field(body, "type")
        if error.status_code < 400:  # an error event in the middle of a stream that began well
            return from_event("Anthropic", (kind,), str(field(body, "message") or error.message))
        return from_status("Anthropic", error.status_code, error.message, error.response.headers, types=(kind,))
    if isinstance(error, anthropic.APIConnectionError):
        return ProviderUnavailable(f"Anthropic could not be reached ({type(error.__cause__ or error).__name__}).")
    if isinstance(error, anthropic.APIResponseValidationError):
        return ProviderGarbage("Anthropic answered what is not its own format.")
    if isinstance(error, anthropic.APIError):
        return from_event("Anthropic", (), error.message)
    return None
