"""How many calls a process makes to one provider at a time; the others wait in line, so a burst does not fail."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager


class Busy(Exception):
    """A call waited for its turn as long as it may. Says nothing about the provider's health."""


class Limits:
    """First come, first served, for each provider by itself.

    A limit is one process's share: with four workers and 100 connections allowed, each has 25.
    """

    def __init__(
        self, at_once: Mapping[str, int], *, waited: Callable[[str, float], None] = lambda _provider, _seconds: None
    ) -> None:
        """at_once: by provider name; one that is not named has no limit. waited is told of each wait, in seconds."""
        self._places = {provider: asyncio.Semaphore(number) for provider, number in at_once.items()}
        self._waited = waited

    @asynccontextmanager
    async def place(self, provider: str, seconds: float) -> AsyncIterator[None]:
        """Hold a place while the block runs. Raises Busy when none is free for so long."""
        places = self._places.get(provider)
        if places is None:
            yield
            return
        if places.locked():
            await self._wait(places, provider, seconds)
        else:
            await places.acquire()
        try:
            yield
        finally:
            places.release()

    async def _wait(self, places: asyncio.Semaphore, provider: str, seconds: float) -> None:
        clock = asyncio.get_running_loop()
        started = clock.time()
        try:
            async with asyncio.timeout(seconds):
                await places.acquire()
        except TimeoutError:
            raise Busy(f"no place for {seconds:g} s") from None
        finally:
            self._waited(provider, clock.time() - started)
