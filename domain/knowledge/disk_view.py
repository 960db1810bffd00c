"""A collection that is searched on disk, through LanceDB's indexes."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from domain.knowledge.embedder import Vector
from domain.knowledge.filters import Filters, quoted_list
from domain.knowledge.hub import centre, hubs
from domain.knowledge.lance import SHOWN, Table, dimensions_of
from domain.knowledge.passage import Passage
from domain.knowledge.vector_index import parts_of, probes
from domain.knowledge.view import Row, matrix, passage_of, scores, word_search

_REMEMBERED = 20_000
"""Passages kept with their vectors: 60 MB. Reading one costs 0.1 ms, and the same ones are found again and again."""

_SAMPLE = 2048
"""Passages of a table, evenly spread, whose centre stands for that of all: 3 MB to read."""


class DiskView:
    """See `View`. A row is LanceDB's own row number."""

    rows_held = 0

    def __init__(
        self, collection_id: UUID, table: Table, dimensions: int, *, columns: Sequence[str], parts: int | None
    ) -> None:
        """columns: of the table; an earlier layout lacks some. parts: see `vector_index.py`, None: not divided."""
        self.collection_id = collection_id
        self.dimensions = dimensions
        self._table = table
        self._labelled = "labels" in columns
        self._probes = None if parts is None else probes(parts)
        self._seen: dict[Row, tuple[Passage, Vector]] = {}
        self._row_of: dict[str, Row] = {}
        self._middle: tuple[NDArray[np.float32], int] | None = None

    @classmethod
    async def load(cls, collection_id: UUID, table: Table, schema: pa.Schema) -> "DiskView":
        parts = await parts_of(table)
        return cls(collection_id, table, dimensions_of(schema), columns=schema.names, parts=parts)

    async def nearest(self, vector: Vector, limit: int, filters: Filters | None = None) -> dict[Row, float]:
        if self._nothing_for(filters):
            return {}
        query = self._table.query().nearest_to(vector).distance_type("cosine").refine_factor(2).limit(limit)
        if self._probes is not None:
            query = query.nprobes(self._probes)
        if filters is not None:
            query = query.where(filters.sql())
        found = await query.with_row_id().select(["_rowid", "_distance"]).to_arrow()
        return {row: 1 - far for row, far in scores(found, "_distance").items()}

    def _nothing_for(self, filters: Filters | None) -> bool:
        """Whether the table has no column to look for these labels in."""
        return filters is not None and bool(filters.labels) and not self._labelled

    async def with_words(self, query: str, limit: int, filters: Filters | None = None) -> dict[Row, float]:
        if self._nothing_for(filters):
            return {}
        return scores(await word_search(self._table, query, limit, filters).to_arrow(), "_score")

    async def cosines(self, rows: Sequence[Row], vector: Vector) -> dict[Row, float]:
        seen = await self._fetch(rows)
        return {row: float(seen[row][1] @ vector) for row in rows}

    async def hubs(self, rows: Sequence[Row]) -> dict[Row, float]:
        if not rows:
            return {}
        seen = await self._fetch(rows)
        middle, count = await self._centre()
        found = hubs(np.stack([seen[row][1] for row in rows]), middle, count)
        return dict(zip(rows, found.tolist(), strict=True))

    async def _centre(self) -> tuple[NDArray[np.float32], int]:
        """Of a sample of the table, and how many passages there are."""
        if self._middle is None:
            count = await self._table.count_rows()
            places = list(range(0, count, max(1, count // _SAMPLE)))
            rows = await self._table.take_offsets(places).select(["vector"]).to_arrow()
            self._middle = centre(matrix(rows.combine_chunks(), self.dimensions)), count
        return self._middle

    async def passages(self, rows: Sequence[Row]) -> dict[Row, Passage]:
        seen = await self._fetch(rows)
        return {row: seen[row][0] for row in rows}

    async def by_id(self, ids: Sequence[str]) -> dict[str, Passage]:
        unseen = [id_ for id_ in ids if id_ not in self._row_of]
        if unseen:
            await self._where(f"id IN ({quoted_list(unseen)})")
        return {id_: self._seen[self._row_of[id_]][0] for id_ in ids if id_ in self._row_of}

    async def near(self, passages: Sequence[Passage], reach: int) -> list[Passage]:
        parts = [
            f"(document_id = '{one.document_id}'"
            f" AND char_start BETWEEN {one.char_start - reach} AND {one.char_start + reach})"
            for one in passages
        ]
        return await self._where(" OR ".join(parts)) if parts else []

    async def _where(self, condition: str) -> list[Passage]:
        found = await self._table.query().where(condition).with_row_id().select(["_rowid"]).to_arrow()
        return list((await self.passages(found["_rowid"].to_pylist())).values())

    async def _fetch(self, rows: Sequence[Row]) -> dict[Row, tuple[Passage, Vector]]:
        """These and more, read unless they are remembered."""
        if len(self._seen) > _REMEMBERED:
            self._seen, self._row_of = {}, {}
        seen = self._seen
        wanted = [row for row in dict.fromkeys(rows) if row not in seen]
        if wanted:
            found: Any = await self._table.take_row_ids(wanted).with_row_id().select([*SHOWN, "vector"]).to_arrow()
            found = found.combine_chunks()
            read = found.drop_columns(["vector"]).to_pylist()
            for row, vector in zip(read, matrix(found, self.dimensions), strict=True):
                seen[row["_rowid"]] = (passage_of(self.collection_id, row), vector)
                self._row_of[row["id"]] = row["_rowid"]
        return seen
