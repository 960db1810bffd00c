"""How passages lie in LanceDB: a database folder for each organisation, a table for each collection."""

from pathlib import Path
from uuid import UUID

import lancedb
import pyarrow as pa
from lancedb.index import FTS

Connection = lancedb.AsyncConnection
Table = lancedb.AsyncTable

DIMENSIONS = 384

RECIPE = 1
"""Counts up when passages are written in another way, so that whoever keeps an index knows to make it anew."""


def schema(dimensions: int = DIMENSIONS) -> pa.Schema:
    """Of a collection whose vectors have this many numbers; a collection keeps to one kind of vector."""
    return pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            pa.field("document_id", pa.string(), nullable=False),
            pa.field("revision", pa.int64(), nullable=False),
            pa.field("title", pa.string(), nullable=False),
            pa.field("heading", pa.string(), nullable=False),
            pa.field("page", pa.int32()),
            pa.field("char_start", pa.int64(), nullable=False),
            pa.field("char_end", pa.int64(), nullable=False),
            pa.field("text", pa.string(), nullable=False),
            pa.field("search_text", pa.string(), nullable=False),
            pa.field("vector", pa.list_(pa.float32(), dimensions), nullable=False),
            pa.field("media_type", pa.string()),
            pa.field("indexed_at", pa.int64()),
            pa.field("labels", pa.list_(pa.string())),
        ]
    )


SHOWN = ["id", "document_id", "title", "heading", "page", "char_start", "char_end", "text"]
"""What a passage is made of."""

KNOWN = ["revision", "media_type", "indexed_at", "labels"]
"""What is known of a passage's document, for filters. indexed_at: milliseconds since 1970; labels: key=value."""

_LATER = {"media_type": "''", "indexed_at": "cast(0 as bigint)", "labels": "arrow_cast(NULL, 'List(Utf8)')"}
"""Columns that tables of an earlier layout lack, and what SQL fills them with."""


def dimensions_of(table_schema: pa.Schema) -> int:
    size: int = table_schema.field("vector").type.list_size
    return size


async def complete(table: Table) -> None:
    """Give a table of an earlier layout the columns it lacks. Idempotent."""
    names = (await table.schema()).names
    lacking = {name: filled for name, filled in _LATER.items() if name not in names}
    if lacking:
        await table.add_columns(lacking)


def with_all_columns(rows: pa.Table) -> pa.Table:
    """The same for rows already read."""
    for name in _LATER:
        if name not in rows.column_names:
            kind = schema().field(name).type
            rows = rows.append_column(name, pa.nulls(len(rows), kind))
    return rows


def word_index() -> FTS:
    """Words of any language: ICU finds them in Chinese, Japanese and Thai too; case and accents do not count.

    No stemming and no stop words: LanceDB's are one language's, and a collection holds many.
    """
    return FTS(base_tokenizer="icu/split", stem=False, remove_stop_words=False, lower_case=True, ascii_folding=True)


def table_name(collection_id: UUID) -> str:
    return collection_id.hex


def table_folder(folder: Path, org_id: UUID, collection_id: UUID) -> Path:
    return folder / str(org_id) / f"{table_name(collection_id)}.lance"


class Connections:
    """One connection an organisation, kept for the life of the process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: dict[UUID, Connection] = {}

    async def of(self, org_id: UUID) -> Connection:
        connection = self._open.get(org_id)
        if connection is None:
            connection = self._open[org_id] = await lancedb.connect_async(self.folder / str(org_id))
        return connection
