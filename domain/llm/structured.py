"""Replies that have to fit a JSON Schema: checked whole before anybody sees them, and asked for once more.

Not for how a provider is told of the schema: that is each one's own.
"""

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any, cast

from contracts.turn import Usage
from domain.errors import ProviderGarbage
from domain.llm.model import ChatMessage, Finished, ModelRequest, Piece, Provider, TextPiece
from domain.llm.tool_json import mended
from domain.tools.arguments import faults

_MOST_TOLD = 2_000
"""Characters of a refused reply that the model is shown again."""


class Structured:
    """A provider made of a provider. Requests without `output_schema` pass through it untouched.

    Text of the others comes in one piece, once it is whole and fits. A reply that does not is answered with its
    faults, once; the second that does not is ProviderGarbage. Counted are both. A reply that the model or its filter
    refused, or that asks for tools, is passed on as it is.
    """

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self.name = provider.name
        self.default_model = provider.default_model

    def stream(self, request: ModelRequest) -> AsyncIterator[Piece]:
        """See `Provider.stream`."""
        if request.output_schema is None:
            return self._provider.stream(request)
        return self._checked(request, request.output_schema)

    async def close(self) -> None:
        """Idempotent."""
        await self._provider.close()

    async def _checked(self, request: ModelRequest, schema: dict[str, Any]) -> AsyncIterator[Piece]:
        if request.prefix and not _faults(request.prefix, schema):
            yield Finished("stop", Usage())  # the whole reply was shown before its attempt died
            return
        said, finished = await self._whole(request)
        spent = finished.usage
        wrong = _wrong(request.prefix, said, finished, schema)
        if wrong:
            said, finished = await self._whole(_once_more(request, said, wrong))
            spent = _sum(spent, finished.usage)
            wrong = _wrong(request.prefix, said, finished, schema)
        if wrong:
            detail = f"{self.name} replied twice with what does not fit the schema: {wrong[0]}"
            raise ProviderGarbage(detail[:300], usage=spent)
        if text := _tidy(request.prefix, said, finished, schema):
            yield TextPiece(text)
        yield replace(finished, usage=spent)

    async def _whole(self, request: ModelRequest) -> tuple[str, Finished]:
        said, finished = "", None
        async with aclosing(cast("Any", self._provider.stream(request))) as pieces:
            async for piece in pieces:
                if isinstance(piece, TextPiece):
                    said += piece.text
                else:
                    finished = piece
        assert finished is not None, "every provider ends its stream with Finished"
        return said, finished


def _wrong(prefix: str, said: str, finished: Finished, schema: dict[str, Any]) -> list[str]:
    if finished.finish in {"tool_calls", "refused", "content_filter"}:
        return []
    found = _faults(prefix + said, schema)
    may_be_mended = found and not prefix and finished.finish != "length"
    return [] if may_be_mended and mended(said, schema) is not None else found


def _faults(text: str, schema: dict[str, Any]) -> list[str]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return ["It is not one JSON value."]
    return faults(schema, value)


def _tidy(prefix: str, said: str, finished: Finished, schema: dict[str, Any]) -> str:
    if prefix or finished.finish in {"tool_calls", "refused", "content_filter"} or not _faults(said, schema):
        return said if prefix else said.strip()
    return json.dumps(mended(said, schema), ensure_ascii=False)


def _once_more(request: ModelRequest, said: str, wrong: list[str]) -> ModelRequest:
    complaint = "That does not fit the JSON Schema:\n" + "\n".join(wrong) + "\nReply with the corrected JSON only."
    told = (ChatMessage("assistant", said[:_MOST_TOLD] or "(nothing)"), ChatMessage("user", complaint))
    return replace(request, messages=(*request.messages, *told))


def _sum(one: Usage, other: Usage) -> Usage:
    return Usage(**{name: getattr(one, name) + getattr(other, name) for name in Usage.model_fields})
