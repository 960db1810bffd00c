"""The steps of maintenance. Each goes through the organisations one by one, under the tenant of each."""

from datetime import timedelta
from uuid import UUID

from temporalio import activity
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from activities.heartbeat import heartbeats
from contracts.ids import ingest_workflow_id
from contracts.ingest import IngestInput
from contracts.maintenance import MaintenanceInput, Pruned, Stranded, StrandedDocument, Tidied
from db.engine import Database
from db.tables.columns import now
from db.tables.knowledge import Document
from domain.auth import repeat_store
from domain.auth.org_store import list_orgs
from domain.errors import NotFound
from domain.knowledge import embedding_store, store
from domain.knowledge.index import Index
from domain.knowledge.relabel import Relabelling
from domain.models import reply_cache_store

_QUIET = timedelta(minutes=1)
"""A row that changed since is on its way, or its request has just committed and starts the run itself."""

_MOST_STARTED = 100
"""Ingestions started again in one run; each is an event of its history, and the next run comes in a minute."""

_KEYS_KEPT = timedelta(hours=24)
"""As long as a client may repeat a request; the largest retry windows of queues and webhooks are a day."""

_EMBEDDINGS_KEPT = timedelta(days=30)
"""1.6 kB each. A document that is edited monthly still finds the vectors of what it kept."""


class MaintenanceActivities:
    """Every step is idempotent."""

    def __init__(self, database: Database, index: Index) -> None:
        self._database = database
        self._index = index
        self._relabelling = Relabelling(database, index)

    @activity.defn(name="stranded_documents")
    async def stranded_documents(self, input: MaintenanceInput) -> Stranded:
        """Unfinished documents that no run works on: the process that was to start it died, or it was terminated.

        What else such a process left, labels that the index does not say yet, is made good here.
        """
        client, found = activity.client(), list[StrandedDocument]()
        async with heartbeats():
            for org_id in await list_orgs(self._database):
                await self._relabel(org_id)
                async with self._database.session(org_id) as session:
                    unfinished = await store.unfinished_documents(session, before=now() - _QUIET)
                for document in unfinished:
                    if not await _runs(client, document):
                        found.append(_stranded(document))
                    if len(found) == _MOST_STARTED:
                        return Stranded(documents=found)
        return Stranded(documents=found)

    @activity.defn(name="prune_rows")
    async def prune_rows(self, input: MaintenanceInput) -> Pruned:
        """Forgets answers to requests that nobody repeats any more, vectors that nobody used for
        long, and kept replies that are too old."""
        keys = embeddings = replies = 0
        async with heartbeats():
            for org_id in await list_orgs(self._database):
                async with self._database.session(org_id) as session:
                    keys += await repeat_store.prune(session, before=now() - _KEYS_KEPT)
                    embeddings += await embedding_store.prune(session, before=now() - _EMBEDDINGS_KEPT)
                    replies += await reply_cache_store.prune(session, before=now())
        return Pruned(idempotency_keys=keys, embeddings=embeddings, cached_replies=replies)

    @activity.defn(name="tidy_collections")
    async def tidy_collections(self, input: MaintenanceInput) -> Tidied:
        """Joins small files, drops old versions and brings indexes up to date, where something has changed."""
        tidied = 0
        async with heartbeats():
            for org_id in await list_orgs(self._database):
                async with self._database.session(org_id) as session:
                    collections = await store.collection_ids(session)
                for collection_id in collections:
                    if not await self._index.untidy(org_id, collection_id):
                        continue
                    try:
                        async with self._database.session(org_id) as session:
                            await store.hold_collection(session, collection_id)
                            await self._index.tidy(org_id, collection_id)
                    except NotFound:  # deleted since
                        continue
                    tidied += 1
        return Tidied(collections=tidied)

    async def _relabel(self, org_id: UUID) -> None:
        try:
            await self._relabelling.stale(org_id)
        except Exception:  # noqa: BLE001  one index that cannot be written must keep no ingestion from starting again
            activity.logger.exception("labels of %s are not in the index; the next run tries again", org_id)


async def _runs(client: Client, document: Document) -> bool:
    try:
        described = await client.get_workflow_handle(ingest_workflow_id(document.id)).describe()
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return False
        raise
    return described.status == WorkflowExecutionStatus.RUNNING


def _stranded(document: Document) -> StrandedDocument:
    ingest = IngestInput(
        org_id=document.org_id,
        collection_id=document.collection_id,
        document_id=document.id,
        revision=document.revision,
    )
    return StrandedDocument(ingest=ingest, filename=document.filename, size_bytes=document.size_bytes)
