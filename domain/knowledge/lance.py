"""How passages lie in LanceDB: a database folder for each organisation, a table for each collection."""

from pathlib import Path
from uuid import UUID

import lancedb
import pyarrow as pa
from lancedb.index import FTS

Connection = lancedb.AsyncConnection
Table = lancedb.AsyncTable

DIMENSIONS = 384

SCHEMA = pa.schema(
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
        pa.field("vector", pa.list_(pa.float32(), DIMENSIONS), nullable=False),
    ]
)

SHOWN = ["id", "document_id", "title", "heading", "page", "char_start", "char_end", "text"]
"""What a passage is made of."""


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
