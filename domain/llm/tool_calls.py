"""Gathers the tool calls of one reply out of their fragments, and mends what is broken in them or refuses it.

Not for whether a call may be made: that is decided where it is.
"""

import json
from collections.abc import Sequence
from typing import Any

from contracts.turn import Usage
from domain.errors import ProviderGarbage
from domain.llm.model import ToolRequest, ToolSpec
from domain.llm.tool_json import mended

_MOST_CALLS = 128
_MOST_CHARS = 500_000
"""Of the arguments of one reply. A tool's own limits are far below."""


class _Call:
    def __init__(self, id: str, name: str) -> None:
        self.id = id
        self.name = name
        self.text: list[str] = []


class ToolFragments:
    """Calls in the order in which they began. provider: as it is called in errors."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._calls: list[_Call] = []
        self._at: dict[int, _Call] = {}
        self._chars = 0

    def __bool__(self) -> bool:
        return bool(self._calls)

    def add(self, index: int, *, id: str | None = None, name: str | None = None, fragment: str | None = None) -> None:
        """One fragment of the call at this index. Raises ProviderGarbage at more than a reply can hold.

        Some compatible servers give every call of a reply the index 0; another id tells them apart.
        """
        call = self._at.get(index)
        if call is None or (id and name and call.id and id != call.id):
            call = self._at[index] = _Call("", "")
            self._calls.append(call)
        call.id = call.id or id or ""
        call.name = call.name or name or ""
        call.text.append(fragment or "")
        self._chars += len(fragment or "")
        if self._chars > _MOST_CHARS or len(self._calls) > _MOST_CALLS:
            raise ProviderGarbage(f"{self._provider} asked for tools without end.")

    def requests(
        self, tools: Sequence[ToolSpec] = (), *, cut: bool = False, usage: Usage | None = None
    ) -> tuple[ToolRequest, ...]:
        """The whole calls, each with an id of its own.

        A call that came twice, with the same id, name and arguments, is one call. Broken arguments are mended where
        only one reading fits the tool's schema. cut: the reply was cut off, so nothing broken may be mended.
        Raises ProviderGarbage, which then cost `usage`, when a call has no name, or arguments that are no JSON object
        and cannot be mended.
        """
        schemas = {tool.name: tool.parameters for tool in tools}
        found: dict[str, ToolRequest] = {}
        for number, call in enumerate(self._calls):
            try:
                arguments = self._arguments(call, schemas.get(call.name), cut=cut)
            except ValueError as refusal:
                raise ProviderGarbage(f"{self._provider} asked for {refusal}.", usage=usage) from refusal
            asked = ToolRequest(call.id or f"call_{number}", call.name, arguments)
            if asked == found.get(asked.id):
                continue
            if asked.id in found:
                asked = ToolRequest(f"{asked.id}_{number}", asked.name, asked.arguments)
            found[asked.id] = asked
        return tuple(found.values())

    def _arguments(self, call: _Call, schema: dict[str, Any] | None, *, cut: bool) -> dict[str, Any]:
        """Raises ValueError, which says what was asked for instead."""
        if not call.name:
            raise ValueError("a tool without a name")
        text = "".join(call.text)
        try:
            arguments = json.loads(text) if text.strip() else {}
        except (ValueError, RecursionError):
            arguments = None if cut else mended(text, schema)
        if isinstance(arguments, str):  # an object inside a string, as some models write it
            arguments = mended(arguments, schema)
        if not isinstance(arguments, dict):
            why = "were cut off" if cut else "are no JSON object and cannot be mended"
            raise ValueError(f"{call.name} with arguments that {why}")  # noqa: TRY004 - it is the provider's value
        return arguments
