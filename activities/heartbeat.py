"""Heartbeats while something long runs, so that a dead worker is noticed and a cancellation arrives."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio import activity

_EVERY_SECONDS = 0.5
"""The SDK sends at most one in 80% of the heartbeat timeout; asking more often costs nothing. The first
comes after a pause, so that a reply of some milliseconds costs the server none."""


@asynccontextmanager
async def heartbeats() -> AsyncIterator[None]:
    """Beat until the block ends."""

    async def beat() -> None:
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            activity.heartbeat()

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
