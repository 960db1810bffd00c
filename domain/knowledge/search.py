"""Find the passages that answer a question, by meaning and by words. Not for writing them: see `index.py`."""

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from contracts.turn import PassageRef
from domain.knowledge.embedder import Embedder, Vector
from domain.knowledge.passage import Passage


class Knowledge:
    """One process's view of all indexed passages. Cheap to make; `warm` before the first question."""

    def __init__(self, database_folder: Path, embedder: Embedder) -> None:
        self._folder = database_folder
        self._embedder = embedder

    async def search(
        self,
        org_id: UUID,
        collection_ids: Sequence[UUID],
        query: str,
        *,
        limit: int = 6,
        min_score: float = 0.0,
        vector: Vector | None = None,
    ) -> list[Passage]:
        """Best first. score is an absolute 0..1 relevance; see `relevance.py` for what it means.

        Collections without passages, unknown or of another organisation add nothing.
        vector: the query's vector, when the caller has it already.
        """
        raise NotImplementedError

    async def passages(self, org_id: UUID, refs: Sequence[PassageRef]) -> list[Passage]:
        """The passages of these references, in order, with the reference's score. Those gone are left out."""
        raise NotImplementedError
