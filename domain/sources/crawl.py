"""One run of a source, step by step: what was found is committed item by item, so a crash goes on where it was.

Not for ingesting what was found: documents are handed on by position.
"""

import asyncio
import hashlib
import time
from dataclasses import dataclass, replace
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from db.engine import Database
from db.tables.knowledge import Document
from db.tables.sources import Source, SourceItem
from domain.errors import Conflict, DocumentUnreadable, NotFound
from domain.knowledge import media
from domain.knowledge import store as documents
from domain.knowledge.removal import Removal
from domain.knowledge.storage import Storage, original_key
from domain.knowledge.version_store import replace_content
from domain.sources import host_store, store
from domain.sources.found import Found, Seed, SourceReader
from domain.sources.readers import Readers
from domain.sources.upload import upload_prefix

_ITEMS = 25
_SECONDS = 10.0
"""A batch ends after this much: progress is seen, and a crash repeats at most one request."""

_LONG_PAUSE = 2.0
"""A longer pause between two requests is a timer of the workflow: it must not hold a worker's place."""

_HANDED = 100


@dataclass(frozen=True, slots=True)
class Batch:
    """documents with their positions, to be ingested. wait: seconds before the next request."""

    documents: list[tuple[int, Document]]
    counts: dict[str, int]
    wait: float


class Crawl:
    """Every step is idempotent and fenced by the run: a step of an older one raises Superseded."""

    def __init__(self, database: Database, storage: Storage, removal: Removal, readers: Readers) -> None:
        self._database = database
        self._removal = removal
        self._storage = storage
        self._readers = readers

    async def begin(self, org_id: UUID, source_id: UUID, run_key: str) -> tuple[Source, dict[str, int]]:
        """The run of this key, with what is to be visited first. Raises NotFound, and what the reader's seeds raise."""
        async with self._database.session(org_id) as session:
            source = await store.begin(session, source_id, run_key)
        reader = self._open(source, [])
        try:
            seeds = await self._seeds(source, reader)
            async with self._database.session(org_id) as session:
                source = await store.hold(session, source_id, source.run)
                await store.add_items(session, source, seeds, depth=0, limit=reader.limits.items)
                return source, await store.count_items(session, source_id)
        finally:
            await reader.close()

    async def _seeds(self, source: Source, reader: SourceReader) -> list[Seed]:
        start = str(source.config.get("url", ""))
        while True:
            async with self._database.session(source.org_id) as session:
                busy = await host_store.claim(session, source, start)
            if not busy:
                break
            await asyncio.sleep(busy)
        try:
            return await reader.seeds()
        finally:
            async with self._database.session(source.org_id) as session:
                await host_store.release(session, source, start, 0.0)

    async def batch(self, org_id: UUID, source_id: UUID, run: int, position: int) -> Batch:
        """Visit some items, one after another, and say what is to be ingested. Raises NotFound, Superseded."""
        async with self._database.session(org_id) as session:
            source = await store.hold(session, source_id, run)
            seen = await store.keys_seen(session, source)
        reader = self._open(source, seen)
        wait = 0.0
        try:
            until = time.monotonic() + _SECONDS
            for _ in range(_ITEMS):
                if time.monotonic() > until:
                    break
                pause = await self._visit(source, reader)
                if pause is None:
                    wait = 0.0
                    break
                if pause > _LONG_PAUSE:
                    wait = pause
                    break
                await asyncio.sleep(pause)
        finally:
            await reader.close()
        async with self._database.session(org_id) as session:
            handed = await store.handed_after(session, source, position, _HANDED)
            return Batch(handed, await store.count_items(session, source_id), wait)

    async def finish(
        self, org_id: UUID, source_id: UUID, run_key: str, code: str | None, detail: str | None
    ) -> dict[str, int]:
        """How many items are in each state. Raises NotFound, Superseded."""
        async with self._database.session(org_id) as session:
            source = await store.hold_key(session, source_id, run_key)
            reader = self._open(source, [])
            await store.finish(session, source, limit=reader.limits.items, code=code, detail=detail)
            await reader.close()
            if source.kind == "upload":
                await self._storage.delete(org_id, upload_prefix(source_id))
        if source.kind == "database":
            # A row that is gone was deleted on purpose; a page may only be away.
            await self._remove_vanished(org_id, source_id)
        async with self._database.session(org_id) as session:
            return await store.count_items(session, source_id)

    async def _remove_vanished(self, org_id: UUID, source_id: UUID) -> None:
        async with self._database.session(org_id) as session:
            gone = await store.vanished_documents(session, source_id)
        for document_id in gone:
            async with self._database.session(org_id) as session:
                try:
                    document = await documents.delete_document(session, document_id)
                except NotFound:  # somebody was faster
                    continue
                await self._removal.document(org_id, document.collection_id, document_id)

    def _open(self, source: Source, seen: list[str]) -> SourceReader:
        async def remember(host: str, rules: str) -> None:
            async with self._database.session(source.org_id) as session:
                await store.keep_robots(session, await store.hold(session, source.id, source.run), host, rules)

        async def original(item: SourceItem) -> bytes | None:
            if item.document_id is None or item.sha256 is None:
                return None
            try:
                return await self._storage.get(source.org_id, original_key(item.document_id, item.sha256))
            except NotFound:
                return None

        return self._readers.open(source, original=original, remember=remember, seen=seen)

    async def _visit(self, source: Source, reader: SourceReader) -> float | None:
        """The pause until the next, in seconds; None when nothing is left to visit."""
        async with self._database.session(source.org_id) as session:
            item = await store.next_waiting(session, source)
            busy = 0.0 if item is None else await host_store.claim(session, source, item.key)
        if item is None:
            return None
        if busy:
            return busy
        pause = 0.0
        try:
            found = await reader.read(item)
            pause = reader.pause(item.key) if found.asked else 0.0
        finally:
            async with self._database.session(source.org_id) as session:
                await host_store.release(session, source, item.key, pause)
        async with self._database.session(source.org_id) as session:
            held = await store.hold(session, source.id, source.run)
            found, links = await self._keep(session, held, item, found)
            if links and item.depth < reader.limits.depth:
                seeds = [Seed(key) for key in found.links]
                await store.add_items(session, held, seeds, depth=item.depth + 1, limit=reader.limits.items)
        return pause

    async def _keep(self, session: AsyncSession, source: Source, item: SourceItem, found: Found) -> tuple[Found, bool]:
        """What became of it in the end, and whether its links are followed."""
        document_id, sha256, starts = item.document_id, item.sha256, False
        if found.body is not None:
            sha256 = await asyncio.to_thread(lambda body: hashlib.sha256(body).hexdigest(), found.body)
            try:
                added = await self._document(session, source, item, found, sha256)
            except (DocumentUnreadable, Conflict) as error:
                state = "failed" if isinstance(error, DocumentUnreadable) else "duplicate"
                found = replace(found, state=state, detail=error.detail)  # type: ignore[arg-type]
            else:
                starts = added.starts
                owner = None if added.created else await store.owner_of(session, source, added.document.id)
                if owner not in {None, item.id}:
                    found = replace(found, state="duplicate", detail="another item has the same content")
                elif not added.starts:
                    found = replace(found, state="unchanged", detail="the same content as before")
                document_id = added.document.id
                await self._storage.put(source.org_id, original_key(document_id, sha256), found.body or b"")
        await store.settle(session, source, item.id, found, document_id=document_id, sha256=sha256, starts=starts)
        return found, not (found.state == "duplicate" and found.body is not None)

    async def _document(
        self, session: AsyncSession, source: Source, item: SourceItem, found: Found, sha256: str
    ) -> documents.Added:
        assert found.body is not None
        facts = {
            "filename": found.filename,
            "media_type": await asyncio.to_thread(media.media_type, found.body, found.filename, found.media_type),
            "size_bytes": len(found.body),
            "sha256": sha256,
            "title": found.title,
        }
        if item.document_id is not None and item.state != "duplicate":
            return await replace_content(session, item.document_id, **facts)  # type: ignore[arg-type]
        return await documents.add_document(
            session,
            source.org_id,
            source.collection_id,
            labels=source.labels,
            **facts,  # type: ignore[arg-type]
        )
