"""What the steps of an ingestion say to each other: parse, recognise scans, chunk, embed by batches, publish."""

from uuid import UUID

from pydantic import Field

from contracts.model import Contract

BATCH_PASSAGES = 64
"""Passages embedded in one step: 2-4 s of one core, so that a crash repeats little and progress is seen."""


OCR_PAGES = 8
"""Pages recognised in one step: 8-24 s of one core, and each is kept as soon as it is recognised."""


class IngestInput(Contract):
    """revision grows with every upload or retry of the document, and fences older runs."""

    org_id: UUID
    collection_id: UUID
    document_id: UUID
    revision: int = 1


class Parsed(Contract):
    """Chunks stay in object storage under the document; only their number crosses Temporal.

    scans: pages whose text is to be recognised. While there are any, nothing is chunked and passages is 0.
    """

    passages: int
    pages: int
    scans: list[int] = Field(default_factory=list)


class RecogniseInput(Contract):
    ingest: IngestInput
    pages: list[int]


class Recognised(Contract):
    """read and failed pages together are those that were asked for."""

    read: int
    failed: int = 0


class IndexBatchInput(Contract):
    ingest: IngestInput
    start: int
    stop: int


class BatchIndexed(Contract):
    passages: int


class FinishIngestInput(Contract):
    ingest: IngestInput
    passages: int
    pages: int


class FailIngestInput(Contract):
    ingest: IngestInput
    code: str
    detail: str


class IngestOutcome(Contract):
    document_id: UUID
    passages: int = 0
    failed: str | None = None


class IngestState(Contract):
    """Answer of the `state` query."""

    step: str
    passages_done: int = 0
    passages_total: int = 0
    scans_done: int = 0
    scans_total: int = 0
