"""Reads the events of one reply of OpenAI's Responses API."""

from typing import Any

from contracts.turn import FinishReason, Usage
from domain.errors import DomainError, ProviderGarbage
from domain.llm.failure import from_event
from domain.llm.model import Finished, ModelRequest
from domain.llm.scripted import counted
from domain.llm.tool_calls import ToolFragments
from domain.llm.wire import count_of, field

_TEXT = {"response.output_text.delta", "response.refusal.delta"}
_ENDS = {"response.completed", "response.incomplete"}
_INCOMPLETE: dict[str, FinishReason] = {"max_output_tokens": "length", "content_filter": "content_filter"}


class ResponsesReader:
    """See `wire.Reader`. provider: as it is called in errors."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._tools = ToolFragments(provider)
        self._in_fragments: set[int] = set()
        self._finish: FinishReason | None = None
        self._refused = False
        self._usage: object = None
        self._said: list[str] = []
        self.begun = False

    @property
    def complete(self) -> bool:
        return self._finish is not None

    def read(self, event: Any) -> str:
        kind = field(event, "type")
        if not isinstance(kind, str):
            raise ProviderGarbage(f"{self._provider} sent an event without a type.")
        if kind in _TEXT:
            return self._read_text(event, refused=kind == "response.refusal.delta")
        if kind in _ENDS:
            self._read_end(field(event, "response"))
        elif kind in {"response.failed", "error"}:
            raise self._failure(field(field(event, "response"), "error") if kind == "response.failed" else event)
        elif kind.startswith("response.function_call_arguments."):
            self._read_arguments(event, kind)
        elif kind == "response.output_item.added":
            self._read_item(event)
        elif kind.startswith("response.reasoning"):
            self.begun = True
        return ""

    def _failure(self, error: object) -> DomainError:
        said = str(field(error, "message") or "no reason")
        return from_event(self._provider, (field(error, "code"), field(error, "type")), said)

    def _read_text(self, event: object, *, refused: bool) -> str:
        text = field(event, "delta")
        if not isinstance(text, str):
            raise ProviderGarbage(f"{self._provider} sent content that is not text.")
        self._refused = self._refused or refused
        self.begun = True
        self._said.append(text)
        return text

    def _read_item(self, event: object) -> None:
        item = field(event, "item")
        kind = field(item, "type")
        self.begun = self.begun or kind in {"reasoning", "function_call"}
        if kind == "function_call":
            self._tools.add(self._index(event), id=field(item, "call_id"), name=field(item, "name"))

    def _read_arguments(self, event: object, kind: str) -> None:
        """Fragments, or all at once where a server sends none."""
        index = self._index(event)
        if kind.endswith(".delta"):
            self._in_fragments.add(index)
            self._tools.add(index, fragment=self._arguments(field(event, "delta")))
        elif kind.endswith(".done") and index not in self._in_fragments:
            self._tools.add(index, fragment=self._arguments(field(event, "arguments")))

    def _index(self, event: object) -> int:
        index = field(event, "output_index")
        if not isinstance(index, int):
            raise ProviderGarbage(f"{self._provider} sent a tool call without its number.")
        return index

    def _arguments(self, value: object) -> str:
        if not isinstance(value, str):
            raise ProviderGarbage(f"{self._provider} sent arguments of a tool that are not text.")
        return value

    def _read_end(self, response: object) -> None:
        if response is None:
            raise ProviderGarbage(f"{self._provider} ended a reply without what it was.")
        self._usage = field(response, "usage")
        reason = field(field(response, "incomplete_details"), "reason")
        self._finish = _INCOMPLETE.get(str(reason), "stop")

    def finished(self, request: ModelRequest) -> Finished:
        finish: FinishReason = self._finish or "stop"
        usage = self._counted(request)
        tools = self._tools.requests(request.tools, cut=finish != "stop", usage=usage)
        if tools:
            finish = "tool_calls"
        elif self._refused:
            finish = "refused"
        return Finished(finish, usage, tools)

    def _counted(self, request: ModelRequest) -> Usage:
        if self._usage is None:
            return counted(request, "".join(self._said))
        asked, said = field(self._usage, "input_tokens_details"), field(self._usage, "output_tokens_details")
        return Usage(
            input_tokens=count_of(self._usage, "input_tokens"),
            output_tokens=count_of(self._usage, "output_tokens"),
            cached_tokens=count_of(asked, "cached_tokens"),
            cache_written_tokens=count_of(asked, "cache_write_tokens"),
            reasoning_tokens=count_of(said, "reasoning_tokens"),
        )
