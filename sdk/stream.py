"""Follows a conversation's log or a document's ingestion over SSE, and goes on after a lost connection."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import httpx2

from sdk.answers import lost, problem
from sdk.errors import ApiProblem
from sdk.reply import Event

_SILENCE_SECONDS = 45.0
"""The server sends a keep-alive every 15 s; three missed ones mean that the connection is dead."""

_PATIENCE_SECONDS = 60.0
"""How long to go on trying. A restarted API is back in 3 s; a person has given up after a minute."""

_WAITS = (0.05, 0.2, 0.5, 1.0, 2.0)
"""Between tries, the last one repeating. The first is short: most losses are a restarted proxy."""


class _Ended(Exception):
    """The server says that there is nothing more to come."""


async def follow(http: httpx2.AsyncClient, path: str, *, after: int) -> AsyncGenerator[Event]:
    """Events after `after`, each once and in order, until the conversation is closed and all was read.

    Raises ApiProblem when the API refuses, Unreachable when nothing was heard for a minute of trying.
    Close it (`contextlib.aclosing`) when you stop before its end: it holds a connection.
    """
    cursor, tries, heard = after, 0, time.monotonic()
    while True:
        try:
            async with aclosing(_connection(http, path, cursor)) as events:
                async for event in events:
                    tries, heard = 0, time.monotonic()
                    if event.seq > cursor:
                        cursor = event.seq
                        yield event
        except _Ended:
            return
        except httpx2.TransportError as error:
            if time.monotonic() - heard > _PATIENCE_SECONDS:
                raise lost(http, error) from error
        except ApiProblem as error:
            if error.status < 500 or time.monotonic() - heard > _PATIENCE_SECONDS:
                raise
        await asyncio.sleep(_WAITS[min(tries, len(_WAITS) - 1)])
        tries += 1


async def _connection(http: httpx2.AsyncClient, path: str, cursor: int) -> AsyncGenerator[Event]:
    headers = {"Last-Event-ID": str(cursor)} if cursor else {}
    timeout = httpx2.Timeout(_SILENCE_SECONDS, connect=5.0)
    async with http.sse(path, headers=headers, timeout=timeout) as source:
        if source.response.is_error:
            raise problem(source.response.status_code, await source.response.aread())
        if source.response.status_code == 204:
            raise _Ended
        async for message in source:
            if message.data and message.id:
                data = json.loads(message.data)
                yield Event(int(message.id), message.event, data, data.get("turn_id"))


async def progress(http: httpx2.AsyncClient, path: str) -> AsyncGenerator[dict[str, Any], None]:
    """What a document's ingestion tells, until it ends. A new connection begins with the present state.

    Raises ApiProblem when the API refuses, Unreachable when nothing was heard for a minute of trying.
    """
    tries, heard = 0, time.monotonic()
    timeout = httpx2.Timeout(_SILENCE_SECONDS, connect=5.0)
    while True:
        try:
            async with http.sse(path, timeout=timeout) as source:
                if source.response.is_error:
                    raise problem(source.response.status_code, await source.response.aread())
                async for message in source:
                    tries, heard = 0, time.monotonic()
                    yield json.loads(message.data)
                    if message.event != "progress":
                        return
        except httpx2.TransportError as error:
            if time.monotonic() - heard > _PATIENCE_SECONDS:
                raise lost(http, error) from error
        except ApiProblem as error:
            if error.status < 500 or time.monotonic() - heard > _PATIENCE_SECONDS:
                raise
        await asyncio.sleep(_WAITS[min(tries, len(_WAITS) - 1)])
        tries += 1
