"""Reads what Gemini streams. Not for asking it."""

import json
from typing import Any

from contracts.turn import FinishReason, Usage
from domain.errors import ProviderGarbage, ProviderRejected
from domain.llm.model import Finished, ModelRequest
from domain.llm.tool_calls import ToolFragments
from domain.llm.wire import count_of, field

_FINISH: dict[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "MODEL_ARMOR": "content_filter",
}

_BROKEN = {
    "MALFORMED_FUNCTION_CALL",
    "MALFORMED_RESPONSE",
    "UNEXPECTED_TOOL_CALL",
    "TOO_MANY_TOOL_CALLS",
    "MISSING_THOUGHT_SIGNATURE",
}
"""The model lost its way; another attempt may find it."""


class GeminiReader:
    """Chunks of one reply. Its thoughts are counted and not said."""

    def __init__(self) -> None:
        self._tools = ToolFragments("Gemini")
        self._calls = 0
        self._finish: FinishReason | None = None
        self._usage: object = None
        self.begun = False

    @property
    def complete(self) -> bool:
        return self._finish is not None

    def read(self, event: Any) -> str:
        self._usage = field(event, "usage_metadata") or self._usage
        blocked = field(field(event, "prompt_feedback"), "block_reason")
        if blocked is not None:
            raise ProviderRejected(
                f"Gemini's content filter refused the request ({_name(blocked)}).", kind="content_filter"
            )
        return "".join(self._read_candidate(candidate) for candidate in (field(event, "candidates") or ())[:1])

    def _read_candidate(self, candidate: object) -> str:
        text = "".join(self._read_part(part) for part in field(field(candidate, "content"), "parts") or ())
        reason = _name(field(candidate, "finish_reason"))
        if reason in _BROKEN:
            raise ProviderGarbage(f"Gemini broke off its own reply ({reason}).")
        if reason:
            self._finish = _FINISH.get(reason, "stop")
        return text

    def _read_part(self, part: object) -> str:
        call = field(part, "function_call")
        if call is not None:
            self._tools.add(
                self._calls,
                id=field(call, "id"),
                name=field(call, "name"),
                fragment=json.dumps(field(call, "args") or {}),
            )
            self._calls += 1
        text = field(part, "text") or ""
        self.begun = self.begun or bool(text) or call is not None
        return "" if field(part, "thought") else str(text)

    def finished(self, request: ModelRequest) -> Finished:
        tools = self._tools.requests(request.tools, cut=self._finish == "length")
        return Finished("tool_calls" if tools else self._finish or "stop", self._counted(), tools)

    def _counted(self) -> Usage:
        thoughts = count_of(self._usage, "thoughts_token_count")
        return Usage(
            input_tokens=count_of(self._usage, "prompt_token_count")
            + count_of(self._usage, "tool_use_prompt_token_count"),
            # Its own count leaves out what was thought; it is paid for as output.
            output_tokens=count_of(self._usage, "candidates_token_count") + thoughts,
            cached_tokens=count_of(self._usage, "cached_content_token_count"),
            reasoning_tokens=thoughts,
        )


def _name(value: object) -> str:
    """Of an enum's member, or of a word that is newer than the SDK."""
    return str(getattr(value, "value", value) or "")
