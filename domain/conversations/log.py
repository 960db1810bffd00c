"""The event log: one append-only sequence a conversation, gapless and in commit order.

Writing is here, reading live is `hub.py`. Everything but streamed text is appended inside the
transaction that it tells about (`append`); text goes through the ticked `EventLog`.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.events import REPLY_DELTA, REPLY_REWIND
from db.engine import DATABASE_AWAY, Connection, Database
from domain.errors import DomainError, Superseded

TICK_SECONDS = 0.015
"""At most one commit a tick, whatever the number of streams: 300 streams and 100 both cost some 40
commits a second, and a reader waits half of it on average."""

_PATIENCE_SECONDS = 20.0
"""How long text waits for a database that restarts before the model call is given up and tried again."""


class TextMissing(DomainError):
    """Text was to go after text that is not in the log. The next attempt goes on after what is."""

    retryable = True


@dataclass(frozen=True, slots=True)
class NewEvent:
    """fence None: written by the holder of the conversation itself, never refused."""

    org_id: UUID
    conversation_id: UUID
    turn_id: UUID | None
    type: str
    data: Mapping[str, Any]
    fence: int | None = None


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    conversation_id: UUID
    seq: int
    turn_id: UUID | None
    type: str
    data: dict[str, Any]
    created_at: datetime


TAKEN_BEFORE, FENCED, GAP = 0, -1, -2
"""What `append` answers instead of a sequence number."""

_REFUSALS: dict[int, Callable[[], DomainError]] = {
    FENCED: lambda: Superseded("a newer attempt speaks in this conversation"),
    GAP: lambda: TextMissing("the text before this one is not in the log"),
}


async def append(connection: Connection, events: Sequence[NewEvent]) -> list[int]:
    """Append in order, in the connection's transaction, and notify readers when it commits.

    Returns the sequence number of each event (1 and up), or TAKEN_BEFORE, FENCED or GAP for one that
    was not taken. The head rows stay locked until the commit, so make it the last statement.
    """
    rows = await connection.fetch(
        "SELECT ord, seq FROM append_events($1, $2, $3, $4, $5, $6)",
        [e.org_id for e in events],
        [e.conversation_id for e in events],
        [e.turn_id for e in events],
        [e.fence for e in events],
        [e.type for e in events],
        [e.data for e in events],
    )
    numbers = [TAKEN_BEFORE] * len(events)
    for row in rows:
        numbers[row["ord"] - 1] = row["seq"]
    return numbers


async def read_events(
    database: Database, org_id: UUID, conversation_id: UUID, after: int, limit: int
) -> list[LoggedEvent]:
    """Events with seq > after, in order. Empty too for a conversation of another organisation."""
    return await read_many(database, [(org_id, conversation_id, after)], limit)


async def read_many(database: Database, cursors: Sequence[tuple[UUID, UUID, int]], limit: int) -> list[LoggedEvent]:
    """As `read_events` for many (org, conversation, after) in one query; `limit` counts per conversation."""
    rows = await database.pool.fetch(
        "SELECT * FROM read_events($1, $2, $3, $4)",
        [org for org, _, _ in cursors],
        [conversation for _, conversation, _ in cursors],
        [after for _, _, after in cursors],
        limit,
    )
    return [LoggedEvent(*row) for row in rows]


def rebuild(events: Sequence[LoggedEvent]) -> str:
    """The text that a reader sees after these events of one turn."""
    text = ""
    for event in events:
        if event.type == REPLY_DELTA:
            text = text[: event.data["at"]] + event.data["text"]
        elif event.type == REPLY_REWIND:
            text = text[: event.data["to"]]
    return text


@dataclass(slots=True)
class _Waiting:
    """Text of one turn that waits for the next tick."""

    org_id: UUID
    conversation_id: UUID
    turn_id: UUID
    fence: int
    at: int
    text: str
    done: "asyncio.Future[None]"

    def event(self) -> NewEvent:
        data = {"text": self.text, "at": self.at}
        return NewEvent(self.org_id, self.conversation_id, self.turn_id, REPLY_DELTA, data, self.fence)


class EventLog:
    """The one writer of streamed text in a process: gathers all running replies, commits once a tick.

    Safe to repeat: the head of each log knows how much was shown, so text whose commit was not
    confirmed is offered again and taken once.
    """

    def __init__(
        self,
        database: Database,
        *,
        tick_seconds: float = TICK_SECONDS,
        committed: Callable[[int], None] = lambda _events: None,
    ) -> None:
        """committed is told the number of events of each commit, for metrics."""
        self._database = database
        self._tick = tick_seconds
        self._committed = committed
        self._waiting: dict[tuple[UUID, int], _Waiting] = {}
        self._writer: asyncio.Task[None] | None = None

    def say(
        self, org_id: UUID, conversation_id: UUID, turn_id: UUID, fence: int, at: int, text: str
    ) -> "asyncio.Future[None]":
        """Show text at an offset of the turn's reply. Returns at once.

        The future is done when the text is committed; Superseded when somebody else holds the right
        to speak; an OSError or PostgresError when the database stayed away.
        """
        key = (conversation_id, fence)
        waiting = self._waiting.get(key)
        if waiting is None:
            done = asyncio.get_running_loop().create_future()
            waiting = _Waiting(org_id, conversation_id, turn_id, fence, at, text, done)
            self._waiting[key] = waiting
        else:
            waiting.text += text
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write(), name="event-log")
        return waiting.done

    async def close(self) -> None:
        """Flush what waits."""
        if self._writer is not None:
            await self._writer

    async def _write(self) -> None:
        while self._waiting:
            started = time.monotonic()
            batch = list(self._waiting.values())
            self._waiting = {}
            await self._commit_patiently(batch)
            rest = self._tick - (time.monotonic() - started)
            if rest > 0:
                await asyncio.sleep(rest)

    async def _commit_patiently(self, batch: list[_Waiting]) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        pause = 0.05
        while True:
            try:
                numbers = await self._commit(batch)
            except DATABASE_AWAY as error:
                if time.monotonic() > deadline:
                    _settle(batch, error)
                    return
                await asyncio.sleep(pause)
                pause = min(pause * 2, 0.5)
            else:
                for waiting, number in zip(batch, numbers, strict=True):
                    _settle([waiting], _REFUSALS.get(number, lambda: None)())
                return

    async def _commit(self, batch: list[_Waiting]) -> list[int]:
        events = [waiting.event() for waiting in batch]
        async with self._database.pool.acquire() as connection:
            numbers = await append(connection, events)
        self._committed(len(events))
        return numbers


def _settle(batch: Sequence[_Waiting], error: Exception | None) -> None:
    for waiting in batch:
        if waiting.done.done():  # its reply was cancelled and no longer waits
            continue
        if error is None:
            waiting.done.set_result(None)
        else:
            waiting.done.set_exception(error)
            waiting.done.exception()  # a reply that was cancelled meanwhile will not read it
