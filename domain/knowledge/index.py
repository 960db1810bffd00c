"""Write passages where they are searched. Not for finding them: see `search.py`.

Writers of one collection take turns: callers hold the collection's row (`store.hold_collection`).
"""

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import numpy as np
import pyarrow as pa
from lancedb.index import BTree
from numpy.typing import NDArray

from contracts.ingest import IngestInput
from domain.errors import EmbeddingMismatch
from domain.knowledge.chunk import Chunk
from domain.knowledge.filters import quoted_list
from domain.knowledge.labels import paired
from domain.knowledge.lance import (
    Connections,
    Table,
    complete,
    dimensions_of,
    schema,
    table_folder,
    table_name,
    word_index,
)
from domain.knowledge.vector_index import FLAT_ROWS, divide

_KEEP_OLD = timedelta(hours=1)
"""Files of older versions stay for readers in the middle of a query (LanceDB warns below an hour)."""

_VERSIONS_KEPT = 20
"""Commits since the last tidying that are left alone: each is a few kB, and tidying makes some itself."""

UNTIDY_PASSAGES = 128
"""While a collection is written to, tidying waits for this many passages: they cost a search 6 ms, and tidying
after every one of 473 documents would cost as much as embedding them."""


def embedded_text(title: str, chunk: Chunk) -> str:
    """What is embedded and searched for words: the passage under its title and headings."""
    above = [part for part in (title, chunk.heading) if part]
    if len(above) == 2 and chunk.heading.startswith(title):
        above = above[1:]
    return "\n".join([*above, chunk.text])


class Index:
    """Every method is idempotent, so that a repeated step of an ingestion ends the same."""

    def __init__(self, database_folder: Path) -> None:
        self._connections = Connections(database_folder)

    async def replace(
        self,
        document: IngestInput,
        title: str,
        chunks: Sequence[Chunk],
        vectors: NDArray[np.float32],
        *,
        media_type: str = "",
        labels: Mapping[str, str] | None = None,
    ) -> None:
        """Make these the document's passages, all in one commit: readers see the old ones or the new ones.

        vectors: a row for each chunk, in their order. Raises EmbeddingMismatch when the collection
        holds vectors of another embedder.
        """
        table = await self._table(document, vectors)
        if "search_text" not in await _indexed(table):  # before the first row, as a search needs it
            await table.create_index("search_text", config=word_index())
        rows = _rows(document, title, chunks, vectors, media_type, paired(labels or {}))
        if await table.count_rows(_of(document.document_id)):
            merge = table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
            await merge.when_not_matched_by_source_delete(_of(document.document_id)).execute(rows)
        else:
            await table.add(rows)

    async def _table(self, document: IngestInput, vectors: NDArray[np.float32]) -> Table:
        connection = await self._connections.of(document.org_id)
        name, dimensions = table_name(document.collection_id), vectors.shape[1]
        table = await self._existing(document.org_id, document.collection_id)
        if table is None:
            table = await connection.create_table(name, schema=schema(dimensions), exist_ok=True)
        held = dimensions_of(await table.schema())
        if held != dimensions:
            raise EmbeddingMismatch(held, dimensions)
        await complete(table)
        return table

    async def relabel(self, org_id: UUID, collection_id: UUID, document_id: UUID, labels: Mapping[str, str]) -> None:
        """Make these the labels of the document's passages, in one commit; nothing else of them changes."""
        table = await self._existing(org_id, collection_id)
        if table is None:
            return
        await complete(table)
        said = f"make_array({quoted_list(paired(labels))})" if labels else "arrow_cast(NULL, 'List(Utf8)')"
        await table.update(updates_sql={"labels": said}, where=_of(document_id))

    async def tidy(self, org_id: UUID, collection_id: UUID) -> None:
        """Bring the word index up to date and join small files; 0.17 s at 2,000 passages, 0.6 s at 20,000.

        Passages are found without it, at 45 us of each search for each one not tidied.
        """
        table = await self._existing(org_id, collection_id)
        if table is None:
            return
        await table.optimize(cleanup_older_than=_KEEP_OLD)
        rows = await table.count_rows()
        if rows < FLAT_ROWS:
            return
        await divide(table, rows)
        if "id" not in await _indexed(table):
            await table.create_index("id", config=BTree())

    async def untidied(self, org_id: UUID, collection_id: UUID) -> int:
        """How many passages the word index does not hold yet."""
        table = await self._existing(org_id, collection_id)
        stats = None if table is None else await table.index_stats("search_text_idx")
        return 0 if stats is None else stats.num_unindexed_rows

    async def untidy(self, org_id: UUID, collection_id: UUID) -> bool:
        """Whether tidying would do anything: passages that indexes lack, or versions that nobody reads any more."""
        table = await self._existing(org_id, collection_id)
        if table is None:
            return False
        versions = await table.list_versions()  # type: ignore[no-untyped-call]  # LanceDB names no types here
        return bool(await self.untidied(org_id, collection_id)) or len(versions) > _VERSIONS_KEPT

    async def remove_document(self, org_id: UUID, collection_id: UUID, document_id: UUID) -> None:
        table = await self._existing(org_id, collection_id)
        if table is not None:
            await table.delete(_of(document_id))

    async def drop(self, org_id: UUID, collection_id: UUID) -> None:
        connection = await self._connections.of(org_id)
        await connection.drop_table(table_name(collection_id), ignore_missing=True)

    async def _existing(self, org_id: UUID, collection_id: UUID) -> Table | None:
        if not table_folder(self._connections.folder, org_id, collection_id).exists():
            return None
        return await (await self._connections.of(org_id)).open_table(table_name(collection_id))


def _of(document_id: UUID) -> str:
    return f"document_id = '{UUID(str(document_id))}'"


async def _indexed(table: Table) -> set[str]:
    return {column for index in await table.list_indices() for column in index.columns}


def _rows(
    document: IngestInput,
    title: str,
    chunks: Sequence[Chunk],
    vectors: NDArray[np.float32],
    media_type: str,
    labels: list[str],
) -> pa.Table:
    if len(vectors) != len(chunks):
        raise ValueError(f"{len(chunks)} passages need as many vectors, not {len(vectors)}")
    dimensions, count = vectors.shape[1], len(chunks)
    columns = {
        "id": [chunk.id for chunk in chunks],
        "document_id": [str(document.document_id)] * count,
        "revision": [document.revision] * count,
        "title": [title] * count,
        "heading": [chunk.heading for chunk in chunks],
        "page": [chunk.page for chunk in chunks],
        "char_start": [chunk.char_start for chunk in chunks],
        "char_end": [chunk.char_end for chunk in chunks],
        "text": [chunk.text for chunk in chunks],
        "search_text": [embedded_text(title, chunk) for chunk in chunks],
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1), pa.float32()), dimensions),
        "media_type": [media_type] * count,
        "indexed_at": [time.time_ns() // 1_000_000] * count,
        "labels": [labels] * count,
    }
    return pa.table(columns, schema=schema(dimensions))
