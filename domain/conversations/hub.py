"""Live readers of the event log: one LISTEN connection and one query a tick for all of a process.

Not for writing, and not for deciding who may read: the caller has checked the conversation.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg

from db.engine import DATABASE_AWAY, Database
from domain.conversations.log import LoggedEvent, read_many

_CHANNEL = "everturn_events"
_PAGE = 500
"""Events a conversation gets in one query; a reader that resumes from 0 takes several."""
_BUFFERED = 2_000
"""Events held for a reader that does not keep up; beyond it the log itself is the buffer."""


@dataclass(eq=False, slots=True)
class Subscription:
    """One reader's place in one conversation. Iterate it: each step gives all that is new, in order."""

    cursor: int
    _drained: Callable[[], None]
    _buffer: list[LoggedEvent] = field(default_factory=list)
    _ready: asyncio.Event = field(default_factory=asyncio.Event)

    def full(self) -> bool:
        return len(self._buffer) >= _BUFFERED

    def offer(self, events: list[LoggedEvent]) -> None:
        """Take what comes next. A page that begins further on was read for others; the hub reads again."""
        fresh = [event for event in events if event.seq > self.cursor]
        if fresh and fresh[0].seq == self.cursor + 1:
            self.cursor = fresh[-1].seq
            self._buffer += fresh
            self._ready.set()

    async def next(self) -> list[LoggedEvent]:
        """Wait for events; never empty."""
        await self._ready.wait()
        self._ready.clear()
        was_full = self.full()
        events, self._buffer = self._buffer, []
        if was_full:
            self._drained()
        return events

    def __aiter__(self) -> AsyncIterator[list[LoggedEvent]]:
        return self

    async def __anext__(self) -> list[LoggedEvent]:
        return await self.next()


@dataclass(slots=True)
class _Watch:
    org_id: UUID
    head: int = 0
    readers: set[Subscription] = field(default_factory=set)

    def behind(self) -> int | None:
        """The lowest place of a reader with room; None when none has."""
        return min((r.cursor for r in self.readers if not r.full()), default=None)


class EventHub:
    """Open once a process. A lost database connection is remade and every reader caught up."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._watched: dict[UUID, _Watch] = {}
        self._dirty: set[UUID] = set()
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        self._tasks = [
            asyncio.create_task(self._listen(), name="event-hub-listen"),
            asyncio.create_task(self._read(), name="event-hub-read"),
        ]

    async def close(self) -> None:
        """Idempotent."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    @property
    def readers(self) -> int:
        """Open subscriptions, for metrics."""
        return sum(len(watch.readers) for watch in self._watched.values())

    @asynccontextmanager
    async def subscribe(self, org_id: UUID, conversation_id: UUID, after: int = 0) -> AsyncIterator[Subscription]:
        """Follow a conversation from seq > after: nothing missed, nothing repeated, in order."""
        subscription = Subscription(after, lambda: self._mark(conversation_id))
        watch = self._watched.setdefault(conversation_id, _Watch(org_id))
        watch.readers.add(subscription)
        self._mark(conversation_id)
        try:
            yield subscription
        finally:
            watch.readers.discard(subscription)
            if not watch.readers and self._watched.get(conversation_id) is watch:
                del self._watched[conversation_id]

    def _mark(self, conversation_id: UUID) -> None:
        self._dirty.add(conversation_id)
        self._wake.set()

    def _notified(self, _connection: Any, _pid: int, _channel: str, payload: object) -> None:
        for entry in str(payload).split(","):
            name, _, seq = entry.partition(":")
            watch = self._watched.get(conversation := UUID(name))
            if watch is not None:
                watch.head = max(watch.head, int(seq))
                self._mark(conversation)

    async def _listen(self) -> None:
        pause = 0.05
        while True:
            try:
                connection = await self._database.connect()
                lost = asyncio.Event()
                connection.add_termination_listener(lambda _connection, lost=lost: lost.set())
                await connection.add_listener(_CHANNEL, self._notified)
            except DATABASE_AWAY:
                await asyncio.sleep(pause)
                pause = min(pause * 2, 1.0)
                continue
            pause = 0.05
            # What was committed while nobody listened is found by reading, not by notification.
            for conversation in self._watched:
                self._mark(conversation)
            try:
                await lost.wait()
            finally:
                await _close(connection)

    async def _read(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            dirty, self._dirty = self._dirty, set()
            cursors = [
                (watch.org_id, conversation, after)
                for conversation in dirty
                if (watch := self._watched.get(conversation)) is not None and (after := watch.behind()) is not None
            ]
            if not cursors:
                continue
            try:
                events = await read_many(self._database, cursors, _PAGE)
            except DATABASE_AWAY:
                self._dirty |= dirty
                self._wake.set()
                await asyncio.sleep(0.1)
                continue
            self._deliver(events)

    def _deliver(self, events: list[LoggedEvent]) -> None:
        pages: dict[UUID, list[LoggedEvent]] = {}
        for event in events:
            pages.setdefault(event.conversation_id, []).append(event)
        for conversation, page in pages.items():
            watch = self._watched.get(conversation)
            if watch is None:
                continue
            for reader in watch.readers:
                if not reader.full():
                    reader.offer(page)
            watch.head = max(watch.head, page[-1].seq)
            behind = watch.behind()
            if behind is not None and behind < watch.head:
                self._mark(conversation)


async def _close(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    try:
        await connection.close(timeout=1)
    except (*DATABASE_AWAY, TimeoutError):
        connection.terminate()
