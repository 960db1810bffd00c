"""The table of faults in docs/providers.md is what happens: each fault, on a real socket, read by the real SDK."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from domain.errors import ProviderFailure, ProviderGarbage, ProviderRejected, ProviderUnavailable
from domain.llm.model import ChatMessage, Finished, ModelRequest, Provider, TextPiece, ToolRequest, ToolSpec
from domain.llm.wire import Patience
from tests.models.dialects import DIALECTS, Dialect
from tests.models.faults import FAULTS, TABLE, Fault
from tests.wire_server import WireServer, never, serving

BY_NAME = {dialect.name: dialect for dialect in DIALECTS}
LOOK_UP = ToolSpec(
    "look_up", "Find an order.", {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}
)
REQUEST = ModelRequest(model="m", instructions="Be kind.", messages=(ChatMessage("user", "Hello?"),))
FINAL = {"auth", "quota", "content_filter", "context_overflow", "bad_request"}


def test_the_table_has_a_row_for_each_fault_and_a_column_for_each_provider() -> None:
    assert list(dict.fromkeys(fault for fault, _ in TABLE)) == list(FAULTS)
    assert {provider for _, provider in TABLE} >= BY_NAME.keys()


class Line:
    """A dialect's server and the providers that talk to it. An SDK's client takes 25 ms to make: few are made."""

    def __init__(self, dialect: Dialect, server: WireServer) -> None:
        self.dialect = dialect
        self.server = server
        self.providers: dict[Patience, Provider] = {}

    async def outcome(self, fault: Fault) -> tuple[str, str, ProviderFailure | None, Finished | None]:
        """What became of it in the table's words, what was said, and the failure or the end."""
        said = ""
        self.server.answer_with(fault.answer(self.dialect))
        if fault.patience not in self.providers:
            url = self.server.url + self.dialect.path
            self.providers[fault.patience] = self.dialect.provider(url, fault.patience)
        provider = self.providers[fault.patience]
        try:
            async for piece in provider.stream(replace(REQUEST, tools=(LOOK_UP,) if fault.tools else ())):
                if isinstance(piece, TextPiece):
                    said += piece.text
        except ProviderFailure as failure:
            assert len(self.server.requests) == 1, "the SDK must not ask again by itself"
            return failure.kind.replace("_", " "), said, failure, None
        assert isinstance(piece, Finished), "a stream ends with Finished"
        return {"length": "cut", "tool_calls": "calls"}.get(piece.finish, "answered"), said, None, piece


@pytest.fixture(scope="module")
async def lines() -> AsyncIterator[dict[str, Line]]:
    async with AsyncExitStack() as stack:
        made = {name: Line(d, await stack.enter_async_context(serving(never))) for name, d in BY_NAME.items()}
        yield made
        for line in made.values():
            for provider in line.providers.values():
                await provider.close()


@pytest.mark.parametrize(
    ("fault", "provider"),
    [pair for pair, cell in TABLE.items() if cell != "-" and pair[1] in BY_NAME],
    ids=str,
)
async def test_a_fault_ends_as_the_table_says(fault: str, provider: str, lines: dict[str, Line]) -> None:
    given = FAULTS[fault]
    word, said, failure, finished = await lines[provider].outcome(given)
    expected, *more = TABLE[fault, provider].split(", ")
    assert word == expected
    assert said == given.said
    if failure is not None:
        classes = {"garbage": ProviderGarbage} | dict.fromkeys(FINAL, ProviderRejected)
        assert type(failure) is classes.get(failure.kind, ProviderUnavailable)
        assert failure.retry_after == (7 if "in 7 s" in more else None)
        assert failure.detail
    elif word == "calls":
        assert finished is not None
        calls = finished.tool_requests
        assert len(calls) == (2 if "two" in more else 1)
        assert calls[0] == ToolRequest("a", "look_up", {"id": "42"})
        assert len({call.id for call in calls}) == len(calls)
