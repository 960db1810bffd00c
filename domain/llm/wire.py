"""Runs one streamed reply over a provider's SDK: pace, failures and continuation. Not for any one wire format."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any, Protocol, TypeVar

import httpx2

from domain.errors import DomainError, ProviderGarbage, ProviderUnavailable
from domain.llm.model import Finished, ModelRequest, Piece, TextPiece, ToolRequest
from domain.llm.resume import Continuation

_T = TypeVar("_T")


class EventStream(Protocol):
    """What both SDKs return for a streamed request."""

    def __aiter__(self) -> AsyncIterator[Any]: ...

    async def close(self) -> None: ...


class Reader(Protocol):
    """Reads the events of one reply in one wire format. Raises ProviderGarbage at what is not in it."""

    def read(self, event: Any) -> str:
        """Visible text of an event; often empty."""
        ...

    @property
    def complete(self) -> bool:
        """Whether the provider has said why it stopped."""
        ...

    def finished(self, request: ModelRequest) -> Finished: ...


class Pace:
    """How long a provider may be silent: until its first words, and between events after them."""

    def __init__(self, first_token_seconds: float, idle_seconds: float) -> None:
        self._first = asyncio.get_running_loop().time() + first_token_seconds
        self._idle = idle_seconds
        self.spoken = False

    async def wait(self, coming: Awaitable[_T]) -> _T:
        """Raises TimeoutError when nothing comes in time."""
        deadline = asyncio.get_running_loop().time() + self._idle if self.spoken else self._first
        async with asyncio.timeout_at(deadline):
            return await coming


async def reply(
    provider: str,
    request: ModelRequest,
    reader: Reader,
    pace: Pace,
    ask: Callable[[], Awaitable[EventStream]],
    classify: Callable[[Exception], DomainError | None],
) -> AsyncIterator[Piece]:
    """Pieces of one reply, ending with Finished.

    classify: the meaning of an exception of the SDK's own; None when it is not one. What goes wrong
    after the provider has said why it stopped is of no interest any more.
    """
    continuation = Continuation(request.prefix)
    stream: EventStream | None = None
    try:
        try:
            stream = await pace.wait(ask())
            events = aiter(stream)
            while (event := await pace.wait(anext(events, None))) is not None:
                said = reader.read(event)
                if said:
                    pace.spoken = True
                    if fresh := continuation.feed(said):
                        yield TextPiece(fresh)
        except Exception as error:
            failure = _meaning(provider, error, classify)
            if not reader.complete:
                raise failure from error
        if not reader.complete:
            raise ProviderGarbage(f"{provider} ended the reply without saying that it was finished.")
        if rest := continuation.finish():
            yield TextPiece(rest)
        yield reader.finished(request)
    finally:
        if stream is not None:
            with suppress(httpx2.HTTPError):
                await stream.close()


def _meaning(provider: str, error: Exception, classify: Callable[[Exception], DomainError | None]) -> Exception:
    if isinstance(error, DomainError):
        return error
    known = classify(error)
    if known is not None:
        return known
    if isinstance(error, TimeoutError):
        return ProviderUnavailable(f"{provider} has been silent for too long.", kind="timeout")
    if isinstance(error, (httpx2.HTTPError, OSError)):
        return ProviderUnavailable(f"The connection to {provider} broke ({type(error).__name__}).")
    if isinstance(error, ValueError):
        return ProviderGarbage(f"{provider} answered what is not its own format ({type(error).__name__}).")
    return error


def field(of: object, name: str) -> Any:
    """A field of an SDK's object or of a plain dictionary; None where there is none.

    The SDKs do not validate what they receive, so any field of a strange answer may be missing.
    """
    return of.get(name) if isinstance(of, dict) else getattr(of, name, None)


def count_of(of: object, name: str) -> int:
    """A field that counts tokens; 0 where there is none."""
    value = field(of, name)
    return value if isinstance(value, int) and value > 0 else 0


class ToolFragments:
    """Gathers tool calls whose arguments come in fragments of JSON."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._calls: dict[int, list[str]] = {}

    def __bool__(self) -> bool:
        return bool(self._calls)

    def add(self, index: int, *, id: str | None = None, name: str | None = None, fragment: str | None = None) -> None:
        call = self._calls.setdefault(index, ["", "", ""])
        call[0] = call[0] or id or ""
        call[1] = call[1] or name or ""
        call[2] += fragment or ""

    def requests(self) -> tuple[ToolRequest, ...]:
        """The whole calls. Raises ProviderGarbage when one has no name or its arguments are no JSON object."""
        return tuple(self._whole(index, *parts) for index, parts in sorted(self._calls.items()))

    def _whole(self, index: int, id: str, name: str, text: str) -> ToolRequest:
        try:
            arguments = json.loads(text) if text.strip() else {}
        except ValueError as error:
            raise ProviderGarbage(f"{self._provider} asked for {name or 'a tool'} with broken JSON.") from error
        if not name or not isinstance(arguments, dict):
            raise ProviderGarbage(f"{self._provider} asked for a tool without a name or without an object.")
        return ToolRequest(id or f"call_{index}", name, arguments)
