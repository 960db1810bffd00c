"""Typed stubs of every activity, so that workflows call by type without importing a body.

Bodies live in `activities/`, one file a step; a test holds names and types of both sides together.
"""

from temporalio import activity

from contracts import conversation as c
from contracts import crawl as w
from contracts import ingest as i
from contracts import maintenance as m
from contracts import outage as o
from contracts import summary as s
from contracts import turn as t


@activity.defn
async def prepare(input: t.PrepareInput) -> t.Prepared:
    raise NotImplementedError


@activity.defn
async def reply(input: t.ReplyInput) -> t.Reply:
    raise NotImplementedError


@activity.defn
async def act(input: t.ActInput) -> t.ToolResult:
    raise NotImplementedError


@activity.defn
async def persist(input: t.PersistInput) -> t.Persisted:
    raise NotImplementedError


@activity.defn
async def fail(input: t.FailInput) -> t.Persisted:
    raise NotImplementedError


@activity.defn
async def interrupt(input: t.InterruptInput) -> t.Interrupted:
    raise NotImplementedError


@activity.defn
async def park(input: o.ParkInput) -> o.Parked:
    raise NotImplementedError


@activity.defn
async def unpark(input: o.UnparkInput) -> None:
    raise NotImplementedError


@activity.defn
async def close_conversation(input: c.CloseInput) -> None:
    raise NotImplementedError


@activity.defn
async def parse_document(input: i.IngestInput) -> i.Parsed:
    raise NotImplementedError


@activity.defn
async def recognise_pages(input: i.RecogniseInput) -> i.Recognised:
    raise NotImplementedError


@activity.defn
async def chunk_document(input: i.IngestInput) -> i.Parsed:
    raise NotImplementedError


@activity.defn
async def index_batch(input: i.IndexBatchInput) -> i.BatchIndexed:
    raise NotImplementedError


@activity.defn
async def finish_ingest(input: i.FinishIngestInput) -> i.IngestOutcome:
    raise NotImplementedError


@activity.defn
async def fail_ingest(input: i.FailIngestInput) -> i.IngestOutcome:
    raise NotImplementedError


@activity.defn
async def begin_crawl(input: w.BeginCrawlInput) -> w.CrawlBegun:
    raise NotImplementedError


@activity.defn
async def crawl_batch(input: w.CrawlBatchInput) -> w.CrawlBatch:
    raise NotImplementedError


@activity.defn
async def finish_crawl(input: w.FinishCrawlInput) -> w.CrawlOutcome:
    raise NotImplementedError


@activity.defn
async def stranded_documents(input: m.MaintenanceInput) -> m.Stranded:
    raise NotImplementedError


@activity.defn
async def resume_turns(input: m.MaintenanceInput) -> m.Resumed:
    raise NotImplementedError


@activity.defn
async def settle_lost_calls(input: m.MaintenanceInput) -> m.LostCalls:
    raise NotImplementedError


@activity.defn
async def prune_rows(input: m.MaintenanceInput) -> m.Pruned:
    raise NotImplementedError


@activity.defn
async def tidy_collections(input: m.MaintenanceInput) -> m.Tidied:
    raise NotImplementedError


@activity.defn
async def summarise(input: s.SummariseInput) -> s.Summarised:
    raise NotImplementedError
