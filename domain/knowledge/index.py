"""Write passages where they are searched: LanceDB, a database folder an organisation, a table a collection."""

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from domain.knowledge.chunk import Chunk


class Index:
    """Every method is idempotent, so that a repeated step of an ingestion ends the same."""

    def __init__(self, database_folder: Path) -> None:
        self._folder = database_folder

    async def write(
        self,
        org_id: UUID,
        collection_id: UUID,
        document_id: UUID,
        revision: int,
        title: str,
        chunks: Sequence[Chunk],
        vectors: NDArray[np.float32],
    ) -> None:
        """Add or replace these passages by id; they can be found at once."""
        raise NotImplementedError

    async def finish(self, org_id: UUID, collection_id: UUID, document_id: UUID, revision: int) -> None:
        """Drop what older revisions of the document left, and bring the word index up to date."""
        raise NotImplementedError

    async def remove_document(self, org_id: UUID, collection_id: UUID, document_id: UUID) -> None:
        raise NotImplementedError

    async def drop(self, org_id: UUID, collection_id: UUID) -> None:
        raise NotImplementedError
