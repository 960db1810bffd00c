"""Ask a second model when the first is silent for long, and hear whoever speaks first. Not for failures after that."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress

from domain.errors import DomainError
from domain.llm.model import Piece
from domain.models.choice import Option
from domain.models.limits import Busy

Ask = Callable[[Option], AsyncGenerator[Piece, None]]


class _Voice:
    """A stream read by a task of its own, so that it can be waited for beside another and stopped at any time."""

    def __init__(self, option: Option, pieces: AsyncGenerator[Piece, None]) -> None:
        self.option = option
        self._heard: asyncio.Queue[Piece | Exception | None] = asyncio.Queue()
        self._reader = asyncio.create_task(self._read(pieces), name=f"hedge {option.provider}")

    async def next(self) -> Piece | None:
        """None at the end. Raises what the stream raised."""
        piece = await self._heard.get()
        if isinstance(piece, Exception):
            raise piece
        return piece

    async def stop(self) -> None:
        """Returns once the call is settled. Idempotent."""
        self._reader.cancel()
        await asyncio.wait([self._reader])

    async def _read(self, pieces: AsyncGenerator[Piece, None]) -> None:
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    self._heard.put_nowait(piece)
            self._heard.put_nowait(None)
        except Exception as error:  # noqa: BLE001  whoever listens raises it
            self._heard.put_nowait(error)


class Hedge:
    """speaker: the one whose words are heard, once it is known; failed: the others' reasons."""

    def __init__(self, first: Option, second: Option, ask: Ask, *, after_seconds: float) -> None:
        self._first = first
        self._second = second
        self._ask = ask
        self._after_seconds = after_seconds
        self.speaker: Option = first
        self.failed: list[tuple[Option, DomainError | Busy]] = []

    async def pieces(self) -> AsyncGenerator[Piece, None]:
        """As one provider's stream. Raises the failure of the last that was left."""
        voices = [_Voice(self._first, self._ask(self._first))]
        stopping: list[asyncio.Task[None]] = []
        try:
            voice, piece = await self._race(voices)
            self.speaker = voice.option
            stopping = [asyncio.create_task(other.stop()) for other in voices if other is not voice]
            while piece is not None:
                yield piece
                piece = await voice.next()
        finally:
            for each in voices:
                await each.stop()
            if stopping:
                await asyncio.wait(stopping)

    async def _race(self, voices: list[_Voice]) -> tuple[_Voice, Piece | None]:
        waiting = {asyncio.ensure_future(voices[0].next()): voices[0]}
        try:
            done, _ = await asyncio.wait(waiting, timeout=self._after_seconds)
            if not done:
                voices.append(_Voice(self._second, self._ask(self._second)))
                waiting[asyncio.ensure_future(voices[1].next())] = voices[1]
            while True:
                done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for each in [each for each in waiting if each in done]:
                    voice = waiting.pop(each)
                    error = each.exception()
                    if error is None:
                        return voice, each.result()
                    self.speaker = voice.option
                    if not waiting or not isinstance(error, (DomainError, Busy)):
                        raise error
                    self.failed.append((voice.option, error))
        finally:
            for each in waiting:
                each.cancel()
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([each])
