"""Vectors of passages: kept ones where the same words were embedded before, computed ones for the rest."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from db.engine import Database
from domain.knowledge import embedding_store
from domain.knowledge.embedder import Embedder


@dataclass(frozen=True, slots=True)
class Vectors:
    """rows: shape (texts, dimensions), in the order of the texts. computed: how many of them were not kept yet."""

    rows: NDArray[np.float32]
    computed: int


class PassageVectors:
    """A passage that did not change costs a row read instead of 50 ms of a core.

    Keyed by organisation: nobody learns from the time it takes that somebody else has the same text.
    """

    def __init__(self, database: Database, embedder: Embedder) -> None:
        self._database = database
        self._embedder = embedder

    async def of(self, org_id: UUID, texts: Sequence[str]) -> Vectors:
        """Idempotent. Equal texts are computed once."""
        model, size = self._embedder.name, self._embedder.dimensions
        hashes = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts]
        async with self._database.session(org_id) as session:
            found = await embedding_store.known(session, model, list(set(hashes)))
        found = {key: vector for key, vector in found.items() if len(vector) == 4 * size}
        missing = {key: text for key, text in zip(hashes, texts, strict=True) if key not in found}
        made = await self._embedder.passages(list(missing.values()))
        fresh = {key: row.astype("<f4").tobytes() for key, row in zip(missing, made, strict=True)}
        async with self._database.session(org_id) as session:
            await embedding_store.keep(session, org_id, model, fresh)
        found |= fresh
        rows = np.frombuffer(b"".join(found[key] for key in hashes), "<f4").reshape(-1, size)
        return Vectors(rows, len(fresh))
