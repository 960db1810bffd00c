"""Which version of each collection this process looks at: always the newest, read again only when it changed."""

import asyncio
import os
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from domain.knowledge.disk_view import DiskView
from domain.knowledge.held_view import HeldView
from domain.knowledge.lance import Connections, Table, table_folder, table_name
from domain.knowledge.view import View

HELD_ROWS = 20_000
"""Largest table kept in memory: 60 MB, and 0.2 s to read again when it changes."""

_MOST_HELD = 200_000
"""Passages kept in memory over all collections: 600 MB in the worst case, 6 MB for 2,000."""

_CLOCK_NS = 50_000_000
"""File times may stand still for a tick (4 ms on ext4): a change younger than this may hide another one."""

_CHEAP_SECONDS = 0.05
"""A table that is read in less is read before the search goes on, so a search sees what was committed before it.
One that takes longer is read beside the searches, at most a fifth of the time, and they see it a second later."""


@dataclass(slots=True)
class _Entry:
    view: View
    stamp: int
    settled: bool
    seconds: float
    read_at: float


class Views:
    def __init__(self, database_folder: Path, *, most_held: int = HELD_ROWS) -> None:
        self._connections = Connections(database_folder)
        self._most_held = most_held
        self._entries: OrderedDict[tuple[UUID, UUID], _Entry] = OrderedDict()
        self._folders: dict[tuple[UUID, UUID], str] = {}
        self._reading: dict[tuple[UUID, UUID], asyncio.Task[View | None]] = {}

    async def of(self, org_id: UUID, collection_id: UUID) -> View | None:
        """None when the collection has no passages, is unknown, or belongs to another organisation."""
        key = (org_id, collection_id)
        stamp = _stamp(self._versions(key))
        if stamp is None:
            self._entries.pop(key, None)
            return None
        entry = self._entries.get(key)
        if entry is None:
            return await self._read(key, stamp)
        self._entries.move_to_end(key)
        unsettled = not entry.settled and time.time_ns() - stamp > _CLOCK_NS
        if entry.stamp == stamp and not unsettled:
            return entry.view
        if entry.seconds < _CHEAP_SECONDS:
            return await self._read(key, stamp)
        if time.monotonic() - entry.read_at > 4 * entry.seconds:
            self._start(key, stamp)
        return entry.view

    def _versions(self, key: tuple[UUID, UUID]) -> str:
        """Remembered, as making a path takes longer than asking for its stamp."""
        if key not in self._folders:
            self._folders[key] = str(table_folder(self._connections.folder, *key) / "_versions")
        return self._folders[key]

    async def _read(self, key: tuple[UUID, UUID], stamp: int) -> View | None:
        # A search that is cancelled must not take the view from others who wait for it.
        return await asyncio.shield(self._start(key, stamp))

    def _start(self, key: tuple[UUID, UUID], stamp: int) -> asyncio.Task[View | None]:
        task = self._reading.get(key)
        if task is None:
            task = self._reading[key] = asyncio.create_task(self._load(key, stamp))
            task.add_done_callback(lambda _: self._reading.pop(key, None))
        return task

    async def _load(self, key: tuple[UUID, UUID], stamp: int) -> View | None:
        org_id, collection_id = key
        started = time.monotonic()
        settled = time.time_ns() - stamp > _CLOCK_NS
        connection = await self._connections.of(org_id)
        try:
            table = await connection.open_table(table_name(collection_id))
        except ValueError:  # LanceDB's word for a table that is not there: dropped between the look and the opening
            self._entries.pop(key, None)
            return None
        view = await self._view(collection_id, table)
        now = time.monotonic()
        self._entries[key] = _Entry(view, stamp, settled, now - started, now)
        self._forget_beyond(key)
        return view

    async def _view(self, collection_id: UUID, table: Table) -> View:
        kind = HeldView if await table.count_rows() <= self._most_held else DiskView
        return await kind.load(collection_id, table, await table.schema())

    def _forget_beyond(self, newest: tuple[UUID, UUID]) -> None:
        held = sum(entry.view.rows_held for entry in self._entries.values())
        for key in list(self._entries):
            if held <= _MOST_HELD:
                return
            if key != newest:
                held -= self._entries.pop(key).view.rows_held


def _stamp(versions: str) -> int | None:
    """Changes with every commit: a commit puts a file into this folder. 2 us, against 0.5 ms to ask LanceDB."""
    try:
        return os.stat(versions).st_mtime_ns  # noqa: PTH116 - a third of what a Path takes
    except FileNotFoundError:
        return None
