"""A collection that is small enough to be held in memory whole. Its word index stays on disk."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from domain.knowledge.embedder import Vector
from domain.knowledge.filters import Filters
from domain.knowledge.hub import centre, hubs
from domain.knowledge.lance import KNOWN, SHOWN, Table, dimensions_of, with_all_columns
from domain.knowledge.mask import mask
from domain.knowledge.passage import Passage
from domain.knowledge.view import Row, matrix, passage_of, scores, word_search


class HeldView:
    """See `View`. A row is its place in memory."""

    def __init__(self, collection_id: UUID, table: Table, dimensions: int, rows: Any) -> None:
        """rows: the whole table, with LanceDB's row numbers."""
        self.collection_id = collection_id
        self.dimensions = dimensions
        self.rows_held = len(rows)
        self._table = table
        self._vectors = matrix(rows, dimensions)
        self._rows = rows.drop_columns(["vector", "_rowid"])
        self._by_id = {id_: row for row, id_ in enumerate(rows["id"].to_pylist())}
        self._by_number = {number: row for row, number in enumerate(rows["_rowid"].to_pylist())}
        self._hubs: NDArray[np.float32] = (
            hubs(self._vectors, centre(self._vectors), len(rows)) if len(rows) else np.empty(0, np.float32)
        )
        self._made: dict[Row, Passage] = {}
        self._let: dict[Filters, NDArray[np.intp]] = {}

    @classmethod
    async def load(cls, collection_id: UUID, table: Table, schema: pa.Schema) -> "HeldView":
        known = [name for name in KNOWN if name in schema.names]
        query = table.query().with_row_id().select([*SHOWN, *known, "vector", "_rowid"])
        rows = with_all_columns((await query.to_arrow()).combine_chunks())
        return cls(collection_id, table, dimensions_of(schema), rows)

    async def nearest(self, vector: Vector, limit: int, filters: Filters | None = None) -> dict[Row, float]:
        if filters is not None:
            let = self._letting(filters)
            # Picking rows copies them: dearer than comparing with all, from about a quarter of them on.
            few = len(let) * 4 < self.rows_held
            cosines = np.vecdot(self._vectors[let], vector) if few else np.vecdot(self._vectors, vector)[let]
            order = np.argsort(-cosines)[:limit]
            return dict(zip(let[order].tolist(), cosines[order].tolist(), strict=True))
        cosines = np.vecdot(self._vectors, vector)  # `@` would spin a thread on every core for it
        count = len(cosines)
        best = np.argpartition(cosines, -limit)[-limit:] if limit < count else np.arange(count)
        return dict(zip(best.tolist(), cosines[best].tolist(), strict=True))

    def _letting(self, filters: Filters) -> NDArray[np.intp]:
        """The rows that may be found; the same filters come again with every question of an agent."""
        if filters not in self._let:
            self._let[filters] = np.flatnonzero(mask(filters, self._rows))
        return self._let[filters]

    async def with_words(self, query: str, limit: int, filters: Filters | None = None) -> dict[Row, float]:
        if filters is not None and not len(self._letting(filters)):
            return {}  # also where the table has no column to look for them in
        found = scores(await word_search(self._table, query, limit, filters).to_arrow(), "_score")
        return {self._by_number[number]: score for number, score in found.items()}

    async def cosines(self, rows: Sequence[Row], vector: Vector) -> dict[Row, float]:
        return dict(zip(rows, (self._vectors[list(rows)] @ vector).tolist(), strict=True)) if rows else {}

    async def hubs(self, rows: Sequence[Row]) -> dict[Row, float]:
        return dict(zip(rows, self._hubs[list(rows)].tolist(), strict=True)) if rows else {}

    async def passages(self, rows: Sequence[Row]) -> dict[Row, Passage]:
        """Made once each: out of the columns costs 0.1 ms, and the same ones are found again and again."""
        new = [row for row in dict.fromkeys(rows) if row not in self._made]
        if new:
            made = (passage_of(self.collection_id, each) for each in self._rows.take(new).to_pylist())
            self._made.update(zip(new, made, strict=True))
        return {row: self._made[row] for row in rows}

    async def by_id(self, ids: Sequence[str]) -> dict[str, Passage]:
        known = {id_: self._by_id[id_] for id_ in ids if id_ in self._by_id}
        made = await self.passages(list(known.values()))
        return {id_: made[row] for id_, row in known.items()}

    async def near(self, passages: Sequence[Passage], reach: int) -> list[Passage]:
        close: Any = pa.repeat(False, len(self._rows))
        for one in passages:
            within = pc.less_equal(pc.abs(pc.subtract(self._rows["char_start"], one.char_start)), reach)
            close = pc.or_(close, pc.and_(within, pc.equal(self._rows["document_id"], str(one.document_id))))
        return list((await self.passages(np.flatnonzero(close).tolist())).values())
