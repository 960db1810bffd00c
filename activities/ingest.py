"""The steps of an ingestion: parse a document, embed its passages batch by batch, put them into the index.

Scans are recognised between the first two: see `recognise.py`.
"""

import asyncio
import time

import numpy as np
from temporalio import activity

from activities.errors import domain_errors
from activities.heartbeat import heartbeats
from activities.run import IngestRun
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
from domain.knowledge.index import UNTIDY_PASSAGES, embedded_text
from domain.knowledge.reading import FileReader
from domain.knowledge.search import Knowledge
from domain.knowledge.storage import Storage, extracted_key, revision_prefix
from domain.knowledge.vectors import PassageVectors
from runtime.metrics import Metrics

_ROW_SECONDS = 10
"""The workflow is started just before the transaction that adds the row commits; a commit is never this late."""


class IngestActivities:
    """Each step is idempotent, and a step of an older revision changes nothing: it ends as `superseded`."""

    def __init__(
        self,
        database: Database,
        storage: Storage,
        knowledge: Knowledge,
        metrics: Metrics | None = None,
        reader: FileReader | None = None,
    ) -> None:
        self._database = database
        self._storage = storage
        self._knowledge = knowledge
        self._metrics = metrics or Metrics()
        self._reader = reader or FileReader()
        self._run = IngestRun(database, storage)
        self._batches = self._run.batches
        self._vectors = PassageVectors(database, knowledge.embedder)

    @activity.defn(name="parse_document")
    @domain_errors()
    async def parse_document(self, input: IngestInput) -> Parsed:
        """Keeps the text and its chunks in object storage; of a file with scans, what there is before them."""
        async with heartbeats():
            document = await self._started(input)
            async with self._run.wanted(input):
                return await self._read(input, document)

    @activity.defn(name="index_batch")
    @domain_errors()
    async def index_batch(self, input: IndexBatchInput) -> BatchIndexed:
        """Embeds passages [start, stop). They are found when the whole document is."""
        async with heartbeats(), self._run.wanted(input.ingest):
            document = await self._run.current(input.ingest)
            if not await self._batches.embedded(input.ingest, input.start):
                await self._embed(input, document)
            async with self._database.session(input.ingest.org_id) as session:
                held = await progress.hold(session, input.ingest.document_id, input.ingest.revision)
                await progress.indexed(session, held, stop=input.stop)
        return BatchIndexed(passages=input.stop - input.start)

    @activity.defn(name="finish_ingest")
    @domain_errors()
    async def finish_ingest(self, input: FinishIngestInput) -> IngestOutcome:
        """Puts all passages into the index in one commit, in place of those of older revisions."""
        async with heartbeats(), self._run.wanted(input.ingest):
            document = await self._run.current(input.ingest)
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
            await self._batches.clear(ingest)
            return outcome
        await self._batches.clear(ingest)
        await self._tidy(ingest)
        return outcome

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

    async def _read(self, input: IngestInput, document: Document) -> Parsed:
        original = await self._run.original(document)
        reading = await self._reader.read(original, document.filename, document.id, document.media_type)
        extract, chunks = reading.extract, reading.chunks
        if extract.scans:
            await self._batches.put_extract(input, extract)
        elif not chunks:
            raise DocumentUnreadable("the file holds no text")
        else:
            await self._storage.put(input.org_id, extracted_key(document.id, input.revision), extract.text.encode())
            await self._batches.put_chunks(input, chunks)
        passages = 0 if extract.scans else len(chunks)
        async with self._database.session(input.org_id) as session:
            await progress.parsed(session, input.document_id, input.revision, extract, passages=passages)
        return Parsed(passages=passages, pages=extract.pages, scans=extract.scans)

    async def _embed(self, input: IndexBatchInput, document: Document) -> None:
        chunks = await self._batches.chunks(input.ingest, input.start)
        vectors = await self._vectors.of(
            input.ingest.org_id, [embedded_text(document.title, chunk) for chunk in chunks]
        )
        await self._batches.put_vectors(input.ingest, input.start, vectors.rows)
        self._metrics.passages_embedded(computed=vectors.computed, reused=len(chunks) - vectors.computed)

    async def _publish(self, input: FinishIngestInput) -> None:
        ingest = input.ingest
        starts = range(0, input.passages, BATCH_PASSAGES)
        chunks = [chunk for start in starts for chunk in await self._batches.chunks(ingest, start)]
        vectors = np.concatenate([await self._batches.vectors(ingest, start) for start in starts])
        async with self._database.session(ingest.org_id) as session:
            await store.hold_collection(session, ingest.collection_id)
            document = await progress.hold(session, ingest.document_id, ingest.revision)
            await self._knowledge.index.replace(
                ingest, document.title, chunks, vectors, media_type=document.media_type, labels=document.labels
            )
            await progress.ready(session, document, pages=input.pages, passages=input.passages)
        self._metrics.ingested_passages.inc(len(chunks))

    async def _tidy(self, input: IngestInput) -> None:
        index = self._knowledge.index
        async with self._database.session(input.org_id) as session:
            await store.hold_collection(session, input.collection_id)
            states = await store.count_documents(session, input.collection_id)
            untidied = await index.untidied(input.org_id, input.collection_id)
            others = sum(count for state, count in states.items() if state not in {"ready", "failed"})
            if untidied and (others == 0 or untidied >= UNTIDY_PASSAGES):
                await index.tidy(input.org_id, input.collection_id)
