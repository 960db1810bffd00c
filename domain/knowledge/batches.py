"""What an ingestion keeps between its steps in object storage: what it read, chunks and vectors, batch by batch."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

from contracts.ingest import BATCH_PASSAGES, IngestInput
from domain.errors import NotFound
from domain.knowledge import storage as keys
from domain.knowledge.chunk import Chunk
from domain.knowledge.extract import Extract, Span
from domain.knowledge.storage import Storage


class Batches:
    """Keyed by document and revision, so that runs of other revisions never meet. Every method is idempotent."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def put_extract(self, document: IngestInput, extract: Extract) -> None:
        key = keys.extract_key(document.document_id, document.revision)
        await self._storage.put(document.org_id, key, json.dumps(asdict(extract)).encode("utf-8", "replace"))

    async def extract(self, document: IngestInput) -> Extract:
        """What was read before the scans were recognised. Raises NotFound."""
        key = keys.extract_key(document.document_id, document.revision)
        found = json.loads(await self._storage.get(document.org_id, key))
        return Extract(**(found | {"spans": [Span(**span) for span in found["spans"]]}))

    async def put_chunks(self, document: IngestInput, chunks: Sequence[Chunk]) -> None:
        for start in range(0, len(chunks), BATCH_PASSAGES):
            data = json.dumps([asdict(chunk) for chunk in chunks[start : start + BATCH_PASSAGES]]).encode()
            await self._storage.put(
                document.org_id, keys.chunks_key(document.document_id, document.revision, start), data
            )

    async def chunks(self, document: IngestInput, start: int) -> list[Chunk]:
        """Of the batch that begins at `start`, a multiple of BATCH_PASSAGES. Raises NotFound."""
        key = keys.chunks_key(document.document_id, document.revision, start)
        return [Chunk(**each) for each in json.loads(await self._storage.get(document.org_id, key))]

    async def put_vectors(self, document: IngestInput, start: int, vectors: NDArray[np.float32]) -> None:
        key = keys.vectors_key(document.document_id, document.revision, start)
        await self._storage.put(document.org_id, key, _packed(vectors))

    async def embedded(self, document: IngestInput, start: int) -> bool:
        """Whether the vectors of the batch are kept already."""
        try:
            await self.vectors(document, start)
        except NotFound:
            return False
        return True

    async def vectors(self, document: IngestInput, start: int) -> NDArray[np.float32]:
        """Shape (passages of the batch, dimensions of the embedder). Raises NotFound."""
        key = keys.vectors_key(document.document_id, document.revision, start)
        kept: NDArray[np.float32] = np.load(BytesIO(await self._storage.get(document.org_id, key)), allow_pickle=False)
        return kept

    async def clear(self, document: IngestInput) -> None:
        await self._storage.delete(document.org_id, keys.batches_prefix(document.document_id, document.revision))


def _packed(vectors: NDArray[np.float32]) -> bytes:
    """With their shape: how long a vector is depends on the embedder."""
    packed = BytesIO()
    np.save(packed, vectors.astype("<f4"), allow_pickle=False)
    return packed.getvalue()
