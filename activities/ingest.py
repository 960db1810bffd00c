"""The steps of an ingestion: parse a document, embed its passages batch by batch, put them into the index."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
from temporalio import activity

from activities.errors import domain_errors
from activities.heartbeat import heartbeats
from contracts.ingest import (
    BATCH_PASSAGES,
    BatchIndexed,
    FailIngestInput,
    FinishIngestInput,
    IndexBatchInput,
    IngestInput,
    IngestOutcome,
    Parsed,
)
from db.engine import Database
from db.tables.knowledge import Document
from domain.errors import DocumentUnreadable, NotFound, Superseded
from domain.knowledge import progress, store
from domain.knowledge.batches import Batches
from domain.knowledge.index import embedded_text
from domain.knowledge.reading import FileReader
from domain.knowledge.search import Knowledge
from domain.knowledge.storage import Storage, document_prefix, extracted_key, original_key, revision_prefix

_ROW_SECONDS = 10
"""The workflow is started just before the transaction that adds the row commits; a commit is never this late."""

_UNTIDY_PASSAGES = 128
"""While other documents of the collection are on their way, tidying waits for this many passages: they cost
a search 6 ms, and tidying after every one of 473 documents would cost as much as embedding them."""


class IngestActivities:
    """Each step is idempotent, and a step of an older revision changes nothing: it ends as `superseded`."""

    def __init__(
        self, database: Database, storage: Storage, knowledge: Knowledge, reader: FileReader | None = None
    ) -> None:
        self._database = database
        self._storage = storage
        self._knowledge = knowledge
        self._reader = reader or FileReader()
        self._batches = Batches(storage)

    @activity.defn(name="parse_document")
    @domain_errors()
    async def parse_document(self, input: IngestInput) -> Parsed:
        """Keeps the text and its chunks in object storage."""
        async with heartbeats():
            document = await self._started(input)
            async with self._wanted(input):
                return await self._read(input, document)

    @activity.defn(name="index_batch")
    @domain_errors()
    async def index_batch(self, input: IndexBatchInput) -> BatchIndexed:
        """Embeds passages [start, stop). They are found when the whole document is."""
        async with heartbeats(), self._wanted(input.ingest):
            document = await self._current(input.ingest)
            chunks = await self._batches.chunks(input.ingest, input.start)
            texts = [embedded_text(document.title, chunk) for chunk in chunks]
            await self._batches.put_vectors(input.ingest, input.start, await self._knowledge.embedder.passages(texts))
            async with self._database.session(input.ingest.org_id) as session:
                held = await progress.hold(session, input.ingest.document_id, input.ingest.revision)
                await progress.indexed(session, held, stop=input.stop)
        return BatchIndexed(passages=len(chunks))

    @activity.defn(name="finish_ingest")
    @domain_errors()
    async def finish_ingest(self, input: FinishIngestInput) -> IngestOutcome:
        """Puts all passages into the index in one commit, in place of those of older revisions."""
        async with heartbeats(), self._wanted(input.ingest):
            document = await self._current(input.ingest)
            if document.state != "ready":
                await self._publish(input)
            await self._tidy(input.ingest)
            await self._batches.clear(input.ingest)
            for older in range(1, input.ingest.revision):
                await self._storage.delete(input.ingest.org_id, revision_prefix(document.id, older))
        return IngestOutcome(document_id=input.ingest.document_id, passages=input.passages)

    @activity.defn(name="fail_ingest")
    @domain_errors()
    async def fail_ingest(self, input: FailIngestInput) -> IngestOutcome:
        """Writes down why. What an older revision indexed stays."""
        ingest = input.ingest
        outcome = IngestOutcome(document_id=ingest.document_id, failed=input.code)
        try:
            async with self._database.session(ingest.org_id) as session:
                await progress.failed(
                    session, ingest.document_id, ingest.revision, code=input.code, detail=input.detail
                )
        except (NotFound, Superseded):  # nobody waits for this run any more
            return outcome
        await self._batches.clear(ingest)
        await self._tidy(ingest)
        return outcome

    @asynccontextmanager
    async def _wanted(self, input: IngestInput) -> AsyncIterator[None]:
        """A step that finds its document gone, or a newer run at work, takes back what it stored."""
        try:
            yield
        except NotFound:
            await self._storage.delete(input.org_id, document_prefix(input.document_id))
            raise
        except Superseded:
            await self._batches.clear(input)
            raise

    async def _started(self, input: IngestInput) -> Document:
        deadline = time.monotonic() + _ROW_SECONDS
        while True:
            try:
                async with self._database.session(input.org_id) as session:
                    return await progress.parsing(session, input.document_id, input.revision)
            except NotFound:
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(0.1)

    async def _current(self, input: IngestInput) -> Document:
        async with self._database.session(input.org_id) as session:
            return await progress.hold(session, input.document_id, input.revision)

    async def _read(self, input: IngestInput, document: Document) -> Parsed:
        original = await self._original(document)
        reading = await self._reader.read(original, document.filename, document.id, document.media_type)
        await self._storage.put(input.org_id, extracted_key(document.id, input.revision), reading.text.encode())
        await self._batches.put_chunks(input, reading.chunks)
        async with self._database.session(input.org_id) as session:
            await progress.indexing(
                session,
                input.document_id,
                input.revision,
                title=reading.title,
                media_type=reading.media_type,
                pages=reading.pages,
                passages=len(reading.chunks),
            )
        return Parsed(passages=len(reading.chunks), pages=reading.pages)

    async def _original(self, document: Document) -> bytes:
        try:
            return await self._storage.get(document.org_id, original_key(document.id, document.sha256))
        except NotFound:
            raise DocumentUnreadable("the uploaded file is gone from storage; upload it again") from None

    async def _publish(self, input: FinishIngestInput) -> None:
        ingest = input.ingest
        starts = range(0, input.passages, BATCH_PASSAGES)
        chunks = [chunk for start in starts for chunk in await self._batches.chunks(ingest, start)]
        vectors = np.concatenate([await self._batches.vectors(ingest, start) for start in starts])
        async with self._database.session(ingest.org_id) as session:
            await store.hold_collection(session, ingest.collection_id)
            document = await progress.hold(session, ingest.document_id, ingest.revision)
            await self._knowledge.index.replace(ingest, document.title, chunks, vectors)
            await progress.ready(session, document, pages=input.pages, passages=input.passages)

    async def _tidy(self, input: IngestInput) -> None:
        index = self._knowledge.index
        async with self._database.session(input.org_id) as session:
            await store.hold_collection(session, input.collection_id)
            states = await store.count_documents(session, input.collection_id)
            untidied = await index.untidied(input.org_id, input.collection_id)
            others = sum(states.get(state, 0) for state in ("queued", "parsing", "indexing"))
            if untidied and (others == 0 or untidied >= _UNTIDY_PASSAGES):
                await index.tidy(input.org_id, input.collection_id)
