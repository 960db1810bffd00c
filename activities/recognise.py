"""The steps of an ingestion for scans: recognise their text page by page, and cut it with the rest into passages."""

import asyncio
from collections.abc import Sequence

from temporalio import activity

from activities.errors import domain_errors
from activities.heartbeat import heartbeats
from activities.run import IngestRun
from contracts.ingest import IngestInput, Parsed, Recognised, RecogniseInput
from db.engine import Database
from db.tables.knowledge import Document
from domain.errors import DocumentUnreadable
from domain.knowledge import page_store, progress
from domain.knowledge.chunk import chunk
from domain.knowledge.extract import Extract, with_recognised
from domain.knowledge.ocr import Ocr
from domain.knowledge.recognised import RecognisedPage, RecognisedPages
from domain.knowledge.storage import Storage, extracted_key
from runtime.metrics import Metrics


class RecogniseActivities:
    """Each step is idempotent, and a step of an older revision changes nothing: it ends as `superseded`."""

    def __init__(self, database: Database, storage: Storage, ocr: Ocr, metrics: Metrics | None = None) -> None:
        self._database = database
        self._storage = storage
        self._ocr = ocr
        self._metrics = metrics or Metrics()
        self._run = IngestRun(database, storage)
        self._pages = RecognisedPages(storage)

    @activity.defn(name="recognise_pages")
    @domain_errors()
    async def recognise_pages(self, input: RecogniseInput) -> Recognised:
        """Each page is kept as soon as it is read, and never read again; one that cannot be read is marked."""
        ingest = input.ingest
        async with heartbeats(), self._run.wanted(ingest):
            document = await self._run.current(ingest)
            kept = await self._pages.kept(ingest.org_id, document.id, document.sha256, input.pages)
            async with self._database.session(ingest.org_id) as session:
                await progress.recognised(session, document.id, ingest.revision, kept)
                failed = await page_store.failed_pages(session, document.id, input.pages)
            known = {page.page for page in kept} | failed
            missing = [page for page in input.pages if page not in known]
            read = await self._recognise(ingest, document, missing) if missing else 0
        lost = len(missing) - read
        self._metrics.pages_recognised(read=read, failed=lost, reused=len(kept))
        return Recognised(read=len(kept) + read, failed=len(failed) + lost)

    @activity.defn(name="chunk_document")
    @domain_errors()
    async def chunk_document(self, input: IngestInput) -> Parsed:
        """Puts what was recognised into its place and keeps the whole text and its chunks."""
        async with heartbeats(), self._run.wanted(input):
            document = await self._run.current(input)
            before = await self._run.batches.extract(input)
            extract = await self._whole(document, before)
            # Pure Python, some seconds for thousands of pages: too long for the loop that sends heartbeats.
            chunks = await asyncio.to_thread(chunk, extract, document.id)
            if not chunks:
                raise DocumentUnreadable(await self._why_empty(document, before.scans))
            await self._storage.put(input.org_id, extracted_key(document.id, input.revision), extract.text.encode())
            await self._run.batches.put_chunks(input, chunks)
            async with self._database.session(input.org_id) as session:
                await progress.indexing(session, document.id, input.revision, passages=len(chunks))
        return Parsed(passages=len(chunks), pages=extract.pages)

    async def _recognise(self, input: IngestInput, document: Document, pages: Sequence[int]) -> int:
        """How many of the pages could be read."""
        original = await self._run.original(document)
        left, read = set(pages), 0
        try:
            async for found in self._ocr.stream(original, document.media_type, pages):
                left.discard(found.page)
                if found.error is None:
                    await self._keep(input, document, RecognisedPage(found.page, found.text, found.confidence))
                    read += 1
                else:
                    await self._lose(input, [found.page], found.error)
        except DocumentUnreadable as error:  # of all pages that are left; there may be text on others
            await self._lose(input, sorted(left), error.detail)
        return read

    async def _keep(self, input: IngestInput, document: Document, page: RecognisedPage) -> None:
        await self._pages.keep(input.org_id, document.id, document.sha256, page)
        async with self._database.session(input.org_id) as session:
            await progress.recognised(session, document.id, input.revision, [page])

    async def _lose(self, input: IngestInput, pages: Sequence[int], why: str) -> None:
        async with self._database.session(input.org_id) as session:
            for page in pages:
                await progress.unreadable(session, input.document_id, input.revision, page, why)

    async def _whole(self, document: Document, extract: Extract) -> Extract:
        kept = await self._pages.kept(document.org_id, document.id, document.sha256, extract.scans)
        blocks = {page.page: page.blocks() for page in kept}
        return await asyncio.to_thread(with_recognised, extract, blocks)

    async def _why_empty(self, document: Document, scans: Sequence[int]) -> str:
        async with self._database.session(document.org_id) as session:
            rows = await page_store.list_pages(session, document.id, after=scans[0] - 1, limit=1)
        return rows[0].error or "no text was recognised on its pages"
