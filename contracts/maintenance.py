"""What maintenance says to its steps: ingestions to start again, rows to forget, indexes to tidy."""

from pydantic import Field

from contracts.ingest import IngestInput
from contracts.model import Contract


class MaintenanceInput(Contract):
    """tidies: rows are pruned and indexes tidied too, not only ingestions started again."""

    tidies: bool = False


class StrandedDocument(Contract):
    ingest: IngestInput
    filename: str
    size_bytes: int


class Stranded(Contract):
    documents: list[StrandedDocument] = Field(default_factory=list)


class Resumed(Contract):
    """messages: of turns that run for long, posted to their conversations again; most were known there."""

    messages: int = 0


class LostCalls(Contract):
    """settled: calls to models whose worker died before it could say what they cost."""

    settled: int = 0


class Pruned(Contract):
    idempotency_keys: int = 0
    embeddings: int = 0
    cached_replies: int = 0


class Tidied(Contract):
    collections: int = 0


class MaintenanceReport(Contract):
    restarted: int = 0
    resumed: Resumed = Resumed()
    lost_calls: int = 0
    pruned: Pruned = Pruned()
    tidied: int = 0
