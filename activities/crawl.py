"""The steps of bringing in a source: begin a run, visit a batch of what is there, finish."""

from temporalio import activity
from temporalio.service import RPCError, RPCStatusCode

from activities.errors import domain_errors
from activities.heartbeat import heartbeats
from contracts import ids
from contracts.crawl import (
    BeginCrawlInput,
    CrawlBatch,
    CrawlBatchInput,
    CrawlBegun,
    CrawlOutcome,
    FinishCrawlInput,
    FoundDocument,
)
from contracts.ingest import IngestInput
from db.tables.knowledge import Document
from domain.errors import NotFound
from domain.sources.crawl import Crawl


class CrawlActivities:
    """Each step is idempotent; one of an older run ends as `superseded`."""

    def __init__(self, crawl: Crawl) -> None:
        self._crawl = crawl

    @activity.defn(name="begin_crawl")
    @domain_errors()
    async def begin_crawl(self, input: BeginCrawlInput) -> CrawlBegun:
        """Finds where to begin: sitemaps are read, archives unpacked, tables listed."""
        async with heartbeats():
            try:
                source, counts = await self._crawl.begin(input.org_id, input.source_id, input.run_key)
            except NotFound:
                await _unschedule(input)
                raise
        return CrawlBegun(run=source.run, position=source.position, name=source.name, waiting=counts.get("waiting", 0))

    @activity.defn(name="crawl_batch")
    @domain_errors()
    async def crawl_batch(self, input: CrawlBatchInput) -> CrawlBatch:
        """Visits some items, one request at a time. What was committed before a crash is not visited again."""
        async with heartbeats():
            batch = await self._crawl.batch(input.org_id, input.source_id, input.run, input.position)
        return CrawlBatch(
            documents=[_found(document) for _, document in batch.documents],
            position=max((place for place, _ in batch.documents), default=input.position),
            done=sum(number for state, number in batch.counts.items() if state != "waiting"),
            waiting=batch.counts.get("waiting", 0),
            failed=batch.counts.get("failed", 0),
            wait_seconds=batch.wait,
        )

    @activity.defn(name="finish_crawl")
    @domain_errors()
    async def finish_crawl(self, input: FinishCrawlInput) -> CrawlOutcome:
        """Writes down how the run ended, and what has vanished since the one before."""
        counts = await self._crawl.finish(input.org_id, input.source_id, input.run_key, input.code, input.detail)
        return CrawlOutcome(source_id=input.source_id, counts=counts, failed=input.code)


async def _unschedule(input: BeginCrawlInput) -> None:
    """A source that went with its collection leaves its schedule behind; the first run to notice ends it."""
    handle = activity.client().get_schedule_handle(ids.crawl_workflow_id(input.source_id))
    try:
        await handle.delete()
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise


def _found(document: Document) -> FoundDocument:
    ingest = IngestInput(
        org_id=document.org_id,
        collection_id=document.collection_id,
        document_id=document.id,
        revision=document.revision,
    )
    return FoundDocument(ingest=ingest, filename=document.filename)
