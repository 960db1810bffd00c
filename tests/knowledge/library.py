"""One organisation's collection, and everything an ingestion needs."""

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from temporalio.client import Client, WorkflowHandle
from temporalio.testing import ActivityEnvironment
from temporalio.worker import Worker

from activities.ingest import IngestActivities
from activities.lost_calls import LostCallsStep
from activities.maintenance import MaintenanceActivities
from activities.recognise import RecogniseActivities
from activities.stranded_turns import StrandedTurns
from contracts.ids import ingest_workflow_id
from contracts.ingest import IngestInput, IngestOutcome
from contracts.maintenance import MaintenanceInput, StrandedDocument
from contracts.queues import INGEST
from db.engine import Database
from db.tables.knowledge import Document
from domain.knowledge import store, version_store
from domain.knowledge.chunk import Chunk
from domain.knowledge.ocr import Ocr
from domain.knowledge.search import Knowledge
from domain.knowledge.storage import LocalStorage, original_key
from domain.models.ledger import Ledger
from domain.models.price_book import PriceBook, Seller
from runtime.metrics import Metrics
from runtime.sandbox import workflow_runner
from workflows.ingest import IngestWorkflow
from workflows.maintenance import MaintenanceWorkflow

PAGE = b"# Refunds\n\nMoney comes back within thirty days.\n\n## Norway\n\nIn Norway within sixty days.\n"
BOOK = b"".join(b"# Chapter %d\n\nThe answer to riddle %d is number %d.\n\n" % (n, n, n * n) for n in range(150))


class Library:
    """One organisation's collection, and everything an ingestion needs."""

    def __init__(self, database: Database, client: Client, org: UUID, folder: Path, knowledge: Knowledge) -> None:
        self.database, self.client, self.org, self.knowledge = database, client, org, knowledge
        self.storage = LocalStorage(folder / "objects")
        self.metrics = Metrics()
        self.activities = IngestActivities(database, self.storage, knowledge, self.metrics)
        self.recognition = RecogniseActivities(database, self.storage, Ocr.found_here(), self.metrics)
        self.upkeep = MaintenanceActivities(database, knowledge.index)
        self.collection = uuid4()

    async def open(self) -> None:
        async with self.database.session(self.org) as session:
            self.collection = (await store.create_collection(session, self.org, "Help")).id

    async def upload(self, data: bytes, name: str) -> IngestInput:
        digest = hashlib.sha256(data).hexdigest()
        async with self.database.session(self.org) as session:
            added = await store.add_document(
                session,
                self.org,
                self.collection,
                filename=name,
                media_type="application/octet-stream",
                size_bytes=len(data),
                sha256=digest,
            )
            await self.storage.put(self.org, original_key(added.document.id, digest), data)
        return self.input(added.document)

    async def replace(self, document_id: UUID, data: bytes, name: str) -> IngestInput:
        """New content for a document, as the API takes it."""
        digest = hashlib.sha256(data).hexdigest()
        async with self.database.session(self.org) as session:
            added = await version_store.replace_content(
                session,
                document_id,
                filename=name,
                media_type="application/octet-stream",
                size_bytes=len(data),
                sha256=digest,
            )
            await self.storage.put(self.org, original_key(document_id, digest), data)
        return self.input(added.document)

    def input(self, document: Document) -> IngestInput:
        return IngestInput(
            org_id=self.org, collection_id=self.collection, document_id=document.id, revision=document.revision
        )

    async def start(self, input: IngestInput) -> WorkflowHandle[IngestWorkflow, IngestOutcome]:
        return await self.client.start_workflow(
            IngestWorkflow.run, input, id=ingest_workflow_id(input.document_id), task_queue=INGEST
        )

    def steps(self) -> Sequence[Callable[..., Any]]:
        ingest, recognition, upkeep = self.activities, self.recognition, self.upkeep
        return [
            ingest.parse_document,
            recognition.recognise_pages,
            recognition.chunk_document,
            ingest.index_batch,
            ingest.finish_ingest,
            ingest.fail_ingest,
            StrandedTurns(self.database).resume_turns,
            LostCallsStep(self.database, Ledger(self.database, PriceBook(self.database, Seller))).settle_lost_calls,
            upkeep.stranded_documents,
            upkeep.prune_rows,
            upkeep.tidy_collections,
        ]

    @asynccontextmanager
    async def worker(self, *, at_once: int = 100) -> AsyncIterator[None]:
        """The worker of the ingest queue, in this process; at_once: steps it takes at a time."""
        async with Worker(
            self.client,
            task_queue=INGEST,
            workflows=[IngestWorkflow, MaintenanceWorkflow],
            activities=self.steps(),
            workflow_runner=workflow_runner(),
            max_concurrent_activities=at_once,
        ):
            yield

    async def ingest(self, input: IngestInput) -> IngestOutcome:
        async with self.worker():
            return await (await self.start(input)).result()

    async def row(self, document_id: UUID) -> Document:
        async with self.database.session(self.org) as session:
            return await store.get_document(session, document_id)

    async def find(self, question: str) -> list[str]:
        return [p.text for p in await self.knowledge.search(self.org, [self.collection], question, limit=3)]

    async def stranded(self) -> Sequence[StrandedDocument]:
        """What maintenance would start again, of this organisation."""
        environment = ActivityEnvironment(client=self.client)
        found = await environment.run(self.upkeep.stranded_documents, MaintenanceInput())
        return [document for document in found.documents if document.ingest.org_id == self.org]

    async def loose_passage(self) -> None:
        """A passage in the index that no tidying has seen."""
        document = IngestInput(org_id=self.org, collection_id=self.collection, document_id=uuid4())
        chunk = Chunk(id=str(uuid4()), heading="", page=None, char_start=0, char_end=5, text="loose")
        await self.knowledge.index.replace(
            document, "Loose", [chunk], await self.knowledge.embedder.passages(["loose"])
        )
