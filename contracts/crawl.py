"""What the steps of bringing in a source say to each other: begin, batch after batch, finish."""

from uuid import UUID

from pydantic import Field

from contracts.ingest import IngestInput
from contracts.model import Contract


class CrawlInput(Contract):
    """run and position are 0 at the start; a workflow that continues as new hands over where it was.

    batches: so many in one history, which then has some 1,500 events of theirs.
    """

    org_id: UUID
    source_id: UUID
    run: int = 0
    position: int = 0
    batches: int = 200


class BeginCrawlInput(Contract):
    """run_key is the same for every attempt of one crawl, and another for the next."""

    org_id: UUID
    source_id: UUID
    run_key: str


class CrawlBegun(Contract):
    """position: documents of earlier runs come before it."""

    run: int
    position: int
    name: str
    waiting: int


class CrawlBatchInput(Contract):
    """position of the last document whose ingestion has been started."""

    org_id: UUID
    source_id: UUID
    run: int
    position: int


class FoundDocument(Contract):
    ingest: IngestInput
    filename: str


class CrawlBatch(Contract):
    """documents are to be ingested. wait_seconds: what the site asks for before the next request."""

    documents: list[FoundDocument] = Field(default_factory=list)
    position: int
    done: int = 0
    waiting: int = 0
    failed: int = 0
    wait_seconds: float = 0


class FinishCrawlInput(Contract):
    """code and detail say why it stopped early; None when it came to its end."""

    org_id: UUID
    source_id: UUID
    run_key: str
    code: str | None = None
    detail: str | None = None


class CrawlOutcome(Contract):
    """counts: how many items are in each state."""

    source_id: UUID
    counts: dict[str, int] = Field(default_factory=dict)
    failed: str | None = None


class CrawlState(Contract):
    """Answer of the `state` query."""

    step: str
    done: int = 0
    waiting: int = 0
    failed: int = 0
    documents: int = 0
