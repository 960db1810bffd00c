"""Keeps children running: starts them together, restarts what dies, stops all of them.

Knows nothing about what they are. Everything runs on the main thread, because the kernel ends a
child when the thread that made it ends.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from runtime.embedded.process import CannotStart, tail

_LOOK_SECONDS = 0.05
"""How often a starting child is asked whether it is ready: a step nobody notices in a start of seconds."""

_WATCH_SECONDS = 0.25
"""How often running children are looked at: waitpid on five processes costs nothing measurable."""

_BACKOFF_SECONDS = (0.5, 1, 2, 5, 10)
"""Waits before restarts in a row; the last one repeats. The first is short: a killed worker is missed at once."""

_STABLE_SECONDS = 30
"""A child that lived this long has recovered, and its next death starts the waits anew."""


class Child(Protocol):
    """A server or program. launch returns at once; ready never blocks for more than a second or so."""

    @property
    def name(self) -> str: ...
    @property
    def log(self) -> Path: ...
    @property
    def pid(self) -> int: ...
    def running(self) -> bool: ...
    def launch(self) -> None: ...
    def ready(self) -> bool: ...
    def stop(self) -> None: ...


class Supervisor:
    """changed is called after every start of a child, with the children that run now."""

    def __init__(self, say: Callable[[str], None], changed: Callable[[Sequence[Child]], None]) -> None:
        self._say = say
        self._changed = changed
        self._groups: list[Sequence[Child]] = []
        self._keepers: list[asyncio.Task[None]] = []

    async def start(self, children: Sequence[Child], timeout_seconds: float) -> None:
        """Start several at once and return when each is ready. Raises CannotStart."""
        self._groups.append(children)
        for child in children:
            child.launch()
        self._changed(self._running())
        await asyncio.gather(*(self._started(child, timeout_seconds) for child in children))
        self._keepers += [asyncio.create_task(self._keep(child)) for child in children]

    async def wait(self) -> None:
        """Until a keeper fails, which is a fault of ours. Never returns otherwise."""
        await asyncio.gather(*self._keepers)

    async def stop(self) -> None:
        """Stop all, last started first, those that started together at the same time. Idempotent."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        groups, self._groups, self._keepers = self._groups, [], []
        for group in reversed(groups):
            await asyncio.gather(*(asyncio.to_thread(child.stop) for child in group))

    def _running(self) -> list[Child]:
        return [child for group in self._groups for child in group if child.running()]

    async def _started(self, child: Child, timeout_seconds: float) -> None:
        deadline = time.monotonic() + timeout_seconds
        while not child.ready():
            if not child.running():
                raise CannotStart(f"{child.name} ended while starting. The end of {child.log}:\n{tail(child.log)}")
            if time.monotonic() > deadline:
                raise CannotStart(
                    f"{child.name} was not ready after {timeout_seconds:.0f} s. "
                    f"The end of {child.log}:\n{tail(child.log)}"
                )
            await asyncio.sleep(_LOOK_SECONDS)

    async def _keep(self, child: Child) -> None:
        deaths = 0
        while True:
            born = time.monotonic()
            while child.running():  # noqa: ASYNC110  the end of a process is no event of the loop
                await asyncio.sleep(_WATCH_SECONDS)
            deaths = 0 if time.monotonic() - born > _STABLE_SECONDS else deaths
            delay = _BACKOFF_SECONDS[min(deaths, len(_BACKOFF_SECONDS) - 1)]
            deaths += 1
            self._say(f"{child.name} (pid {child.pid}) died; starting it again in {delay} s. Its log: {child.log}")
            await asyncio.sleep(delay)
            child.launch()
            self._changed(self._running())
