"""One run of an ingestion, as each of its steps sees it: is it still wanted, and what does it take back if not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from contracts.ingest import IngestInput
from db.engine import Database
from db.tables.knowledge import Document
from domain.errors import DocumentUnreadable, NotFound, Superseded
from domain.knowledge import progress
from domain.knowledge.batches import Batches
from domain.knowledge.storage import Storage, document_prefix, original_key


class IngestRun:
    """What every step of an ingestion does with its document's row and its objects."""

    def __init__(self, database: Database, storage: Storage) -> None:
        self.batches = Batches(storage)
        self._database = database
        self._storage = storage

    @asynccontextmanager
    async def wanted(self, input: IngestInput) -> AsyncIterator[None]:
        """A step that finds its document gone, or a newer run at work, takes back what it stored."""
        try:
            yield
        except NotFound:
            await self._storage.delete(input.org_id, document_prefix(input.document_id))
            raise
        except Superseded:
            await self.batches.clear(input)
            raise

    async def current(self, input: IngestInput) -> Document:
        """Raises NotFound, Superseded."""
        async with self._database.session(input.org_id) as session:
            return await progress.hold(session, input.document_id, input.revision)

    async def original(self, document: Document) -> bytes:
        """Raises DocumentUnreadable when the bytes are gone."""
        try:
            return await self._storage.get(document.org_id, original_key(document.id, document.sha256))
        except NotFound:
            raise DocumentUnreadable("the uploaded file is gone from storage; upload it again") from None
