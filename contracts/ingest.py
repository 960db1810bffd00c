"""What the steps of an ingestion say to each other: parse, then embed and index batch by batch."""

from uuid import UUID

from contracts.model import Contract

BATCH_PASSAGES = 64
"""Passages embedded in one step: 2-4 s of one core, so that a crash repeats little and progress is seen."""


class IngestInput(Contract):
    """revision grows with every upload or retry of the document, and fences older runs."""

    org_id: UUID
    collection_id: UUID
    document_id: UUID
    revision: int = 1


class Parsed(Contract):
    """Chunks stay in object storage under the document; only their number crosses Temporal."""

    passages: int
    pages: int


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
