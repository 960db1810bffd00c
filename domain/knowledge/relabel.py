"""Tell the index the labels of documents. Nothing is read, recognised or embedded for it."""

from uuid import UUID

from db.engine import Database
from domain.errors import NotFound
from domain.knowledge import label_store, store
from domain.knowledge.index import UNTIDY_PASSAGES, Index

_AT_ONCE = 1000
"""Documents of one sweep; each is a commit of a table, 10-20 ms, and the next sweep comes in a minute."""


class Relabelling:
    """The rows say which labels hold, and are committed first; a process that dies before the index is told
    leaves `labels_stale`, which maintenance finds.
    """

    def __init__(self, database: Database, index: Index) -> None:
        self._database = database
        self._index = index

    async def document(self, org_id: UUID, document_id: UUID) -> None:
        """Idempotent; a document that is gone needs nothing."""
        async with self._database.session(org_id) as session:
            try:
                seen = await store.get_document(session, document_id)
                await store.hold_collection(session, seen.collection_id)
                document = await store.get_document(session, document_id, lock=True)
            except NotFound:
                return
            if not document.labels_stale:
                return
            collection_id = document.collection_id
            await self._index.relabel(org_id, collection_id, document_id, document.labels)
            # Rows that are written again leave the index of words.
            if await self._index.untidied(org_id, collection_id) >= UNTIDY_PASSAGES:
                await self._index.tidy(org_id, collection_id)
            await store.change(session, document, labels_stale=False)

    async def stale(self, org_id: UUID) -> int:
        """Whatever was left; returns how many documents."""
        async with self._database.session(org_id) as session:
            found = await label_store.stale_documents(session, limit=_AT_ONCE)
        for document_id in found:
            await self.document(org_id, document_id)
        return len(found)
