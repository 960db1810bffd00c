"""Take a document or a collection out of the index and out of object storage."""

from collections.abc import Sequence
from uuid import UUID

from domain.knowledge.index import Index
from domain.knowledge.storage import Storage, document_prefix


class Removal:
    """Call it after `store.delete_…` and before that transaction commits: the row's lock keeps a running
    ingestion from writing in between, and a removal that fails leaves a row that can be deleted again.
    """

    def __init__(self, index: Index, storage: Storage) -> None:
        self._index = index
        self._storage = storage

    async def document(self, org_id: UUID, collection_id: UUID, document_id: UUID) -> None:
        """Idempotent."""
        await self._index.remove_document(org_id, collection_id, document_id)
        await self._storage.delete(org_id, document_prefix(document_id))

    async def collection(self, org_id: UUID, collection_id: UUID, document_ids: Sequence[UUID]) -> None:
        """Idempotent. document_ids: all that the collection had."""
        await self._index.drop(org_id, collection_id)
        for document_id in document_ids:
            await self._storage.delete(org_id, document_prefix(document_id))
