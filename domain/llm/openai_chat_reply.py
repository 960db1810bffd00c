"""Reads the chunks of one chat completion, of OpenAI's or of any server that speaks the like."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from contracts.turn import FinishReason, Usage
from domain.errors import ProviderGarbage, ProviderUnavailable
from domain.llm.model import Finished, ModelRequest, WebSource
from domain.llm.scripted import counted
from domain.llm.thoughts import Thoughts
from domain.llm.tool_calls import ToolFragments
from domain.llm.wire import count_of, field

_FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
_CITED = re.compile(r"\[(\d{1,3})\]")
_BROKE_OFF = {"error", "insufficient_system_resource"}
"""Reasons that compatible servers and DeepSeek give when it was not the model that stopped."""


class ChatReader:
    """See `wire.Reader`. provider: as it is called in errors. footnotes: the text ends with the pages that it cites."""

    def __init__(self, provider: str, *, footnotes: bool = False) -> None:
        self._provider = provider
        self._footnotes = footnotes
        self._tools = ToolFragments(provider)
        self._thoughts = Thoughts()
        self._finish: FinishReason | None = None
        self._refused = False
        self._usage: object = None
        self._said: list[str] = []
        self._sources: tuple[WebSource, ...] = ()
        self.begun = False

    @property
    def complete(self) -> bool:
        return self._finish is not None

    def read(self, event: Any) -> str:
        self._usage = field(event, "usage") or self._usage
        self._sources = tuple(_sources(event)) or self._sources
        choices = field(event, "choices")
        if choices is None and self._usage is not None:
            return ""
        if not isinstance(choices, list):
            raise ProviderGarbage(f"{self._provider} sent a chunk without choices.")
        text = "".join(self._read_choice(choice) for choice in choices[:1])
        self._said.append(text)
        return text

    def _read_choice(self, choice: object) -> str:
        delta = field(choice, "delta")
        calls = field(delta, "tool_calls") or ()
        for place, call in enumerate(calls):
            self._read_call(place, call)
        refusal = field(delta, "refusal")
        self._refused = self._refused or bool(refusal)
        text = field(delta, "content") or refusal or ""
        if not isinstance(text, str):
            raise ProviderGarbage(f"{self._provider} sent content that is not text.")
        # vLLM and OpenRouter say `reasoning`, DeepSeek and llama.cpp `reasoning_content`.
        thought = field(delta, "reasoning_content") or field(delta, "reasoning")
        self.begun = self.begun or bool(text or calls or thought)
        seen = self._thoughts.without(text)
        reason = field(choice, "finish_reason")
        if reason in _BROKE_OFF:
            raise ProviderUnavailable(f"{self._provider} broke off: {reason}.", kind="overload")
        if reason is not None:
            self._finish = _FINISH.get(str(reason), "stop")
            seen += self._thoughts.finish()
            if self._footnotes:
                seen += _footnotes("".join(self._said) + seen, self._sources)
        return seen

    def _read_call(self, place: int, call: object) -> None:
        index, function = field(call, "index"), field(call, "function")
        arguments = field(function, "arguments")
        if not isinstance(arguments, str | None):
            raise ProviderGarbage(f"{self._provider} sent arguments of a tool that are not text.")
        self._tools.add(
            index if isinstance(index, int) else place,
            id=field(call, "id"),
            name=field(function, "name"),
            fragment=arguments,
        )

    def finished(self, request: ModelRequest) -> Finished:
        finish: FinishReason = self._finish or "stop"
        usage = self._counted(request)
        tools = self._tools.requests(request.tools, cut=finish == "length", usage=usage)
        if tools:
            finish = "tool_calls"  # some compatible servers say "stop" here
        elif self._refused:
            finish = "refused"
        return Finished(finish, usage, tools, self._sources)

    def _counted(self, request: ModelRequest) -> Usage:
        if self._usage is None:
            return counted(request, "".join(self._said))
        asked, said = field(self._usage, "prompt_tokens_details"), field(self._usage, "completion_tokens_details")
        output = count_of(self._usage, "completion_tokens")
        thought = count_of(said, "reasoning_tokens") or count_of(self._usage, "reasoning_tokens")
        return Usage(
            input_tokens=count_of(self._usage, "prompt_tokens"),
            output_tokens=output,
            # The second is DeepSeek's own name for it.
            cached_tokens=count_of(asked, "cached_tokens") or count_of(self._usage, "prompt_cache_hit_tokens"),
            cache_written_tokens=count_of(asked, "cache_write_tokens"),
            reasoning_tokens=min(thought, output),
        )


def _footnotes(text: str, sources: Sequence[WebSource]) -> str:
    cited = sorted({int(number) for number in _CITED.findall(text)})
    lines = [
        f"[{number}] {sources[number - 1].title} {sources[number - 1].url}".replace("  ", " ")
        for number in cited
        if 0 < number <= len(sources)
    ]
    return "\n\n" + "\n".join(lines) if lines else ""


def _sources(event: object) -> Iterator[WebSource]:
    """Perplexity's search results; its older `citations` are bare addresses."""
    found = field(event, "search_results") or field(event, "citations")
    for each in found if isinstance(found, list) else ():
        url = each if isinstance(each, str) else field(each, "url")
        if isinstance(url, str) and url.startswith(("https://", "http://")):
            yield WebSource(url, str(field(each, "title") or ""))
