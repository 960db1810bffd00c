"""Runs one streamed reply over a provider's SDK: pace, failures and continuation. Not for any one wire format."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import httpx2
from pydantic import BaseModel

from domain.errors import DomainError, ProviderGarbage, ProviderRejected, ProviderUnavailable
from domain.llm.model import Finished, ModelRequest, Piece, TextPiece
from domain.llm.resume import Continuation

_T = TypeVar("_T")

_AFTERWORDS_SECONDS = 2.0
"""Usage comes at once after the reason to stop; a server that stays open after it must not keep the customer."""

_CHARS_A_TOKEN = 20
_SPARE_CHARS = 2_000
"""No text is longer: English has 4 characters a token, runs of white space up to 16. More comes of a broken server."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a provider may say nothing before and after its first words, and how long a whole reply may take.

    most_events: chunks of one reply; the longest of today's replies have 128,000 tokens.
    """

    first_token_seconds: float = 60
    idle_seconds: float = 30
    reply_seconds: float = 540
    most_events: int = 250_000

    def replaced(self, first_token: float | None, idle: float | None, whole: float | None) -> "Patience":
        """With another value for each that is given."""
        return replace(
            self,
            first_token_seconds=first_token or self.first_token_seconds,
            idle_seconds=idle or self.idle_seconds,
            reply_seconds=whole or self.reply_seconds,
        )


PATIENCE = Patience()


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
    def begun(self) -> bool:
        """Whether anything of the reply has come: text, a thought or a tool call."""
        ...

    @property
    def complete(self) -> bool:
        """Whether the provider has said why it stopped."""
        ...

    def finished(self, request: ModelRequest) -> Finished: ...


class Pace:
    """How long one reply may still take: until its first words, between events after them, and in all."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._clock = asyncio.get_running_loop().time
        self._first = self._clock() + patience.first_token_seconds
        self._last = self._clock() + patience.reply_seconds
        self._events = 0
        self.begun = False

    async def wait(self, coming: Awaitable[_T]) -> _T:
        """Raises TimeoutError when nothing comes in time."""
        silent = self._clock() + self._patience.idle_seconds if self.begun else self._first
        async with asyncio.timeout_at(min(silent, self._last)):
            return await coming

    def heard(self, reader: Reader) -> None:
        """Raises ProviderGarbage after more events than a reply can have."""
        self._events += 1
        if self._events > self._patience.most_events:
            raise ProviderGarbage(f"The reply did not end within {self._patience.most_events} events.")
        self.begun = self.begun or reader.begun
        if reader.complete:
            self._last = min(self._last, self._clock() + _AFTERWORDS_SECONDS)


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
    after the provider has said why it stopped is of no interest any more. Text without end is cut and ends
    as `length`, as it would at a provider that keeps to the limit it was given.
    """
    continuation = Continuation(request.prefix)
    room = request.max_output_tokens * _CHARS_A_TOKEN + _SPARE_CHARS
    said_any = False
    stream: EventStream | None = None
    try:
        try:
            stream = await pace.wait(ask())
            events = aiter(stream)
            while room > 0 and (event := await pace.wait(anext(events, None))) is not None:
                said = reader.read(event)[:room]
                pace.heard(reader)
                room -= len(said)
                said_any = said_any or bool(said.strip())
                if fresh := continuation.feed(said) if said else "":
                    yield TextPiece(fresh)
        except Exception as error:
            failure = _meaning(provider, error, classify)
            if not reader.complete:
                raise failure from error
        if not reader.complete and room > 0:
            raise ProviderGarbage(f"{provider} ended the reply without saying that it was finished.")
        finished = reader.finished(request) if reader.complete else _cut(reader, request)
        if not said_any and not finished.tool_requests:
            _refuse_silence(provider, request, finished)
        if rest := continuation.finish():
            yield TextPiece(rest)
        yield finished
    finally:
        if stream is not None:
            with suppress(httpx2.HTTPError):
                await stream.close()


def _cut(reader: Reader, request: ModelRequest) -> Finished:
    return replace(reader.finished(replace(request, tools=())), finish="length", tool_requests=())


def _refuse_silence(provider: str, request: ModelRequest, finished: Finished) -> None:
    """A customer cannot be given nothing; but a reply that goes on after text of its own may have no more to say."""
    if finished.finish in {"content_filter", "refused"}:
        raise ProviderRejected(
            f"{provider}'s content filter took the whole reply.", kind="content_filter", usage=finished.usage
        )
    spoke = request.prefix or next((m.text for m in reversed(request.messages) if m.tool_requests), "")
    if not spoke.strip():
        raise ProviderGarbage(f"{provider} finished without saying anything ({finished.finish}).", usage=finished.usage)


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
    if isinstance(error, (ValueError, RecursionError)):
        return ProviderGarbage(f"{provider} answered what is not its own format ({type(error).__name__}).")
    return error


def field(of: object, name: str) -> Any:
    """A field of an SDK's object or of a plain dictionary; None where there is none.

    The SDKs do not validate what they receive, so any field of a strange answer may be missing.
    """
    if isinstance(of, dict):
        return of.get(name)
    if isinstance(of, BaseModel):
        # Asking one for what it has not costs 2.5 us, and every chunk is asked for six fields that most never have.
        extra = of.__pydantic_extra__
        return of.__dict__.get(name) if extra is None or name in of.__dict__ else extra.get(name)
    return getattr(of, name, None)


def count_of(of: object, name: str) -> int:
    """A field that counts tokens; 0 where there is none."""
    value = field(of, name)
    return value if isinstance(value, int) and value > 0 else 0
