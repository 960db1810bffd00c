"""Collections, documents with versions and pages, and kept vectors. Passages live in LanceDB, originals in storage."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, SQLModel

from db.tables.columns import jsonb, timestamp


class Collection(SQLModel, table=True):
    __tablename__ = "collections"

    id: UUID = Field(primary_key=True)
    org_id: UUID = Field(foreign_key="orgs.id")
    name: str
    description: str = ""
    created_at: datetime = timestamp()
    updated_at: datetime = timestamp()


class Document(SQLModel, table=True):
    """state: queued | parsing | ocr | indexing | ready | failed.

    revision fences ingestion runs and grows with each; version counts contents and grows with each new one.
    ocr_pages are the pages whose text is to be recognised. labels_stale: the index does not say them yet.
    """

    __tablename__ = "documents"

    id: UUID = Field(primary_key=True)
    org_id: UUID = Field(foreign_key="orgs.id")
    collection_id: UUID = Field(foreign_key="collections.id")
    filename: str
    title: str = ""
    media_type: str
    size_bytes: int
    sha256: str
    revision: int = 1
    version: int = 1
    state: str = "queued"
    error_code: str | None = None
    error_detail: str | None = None
    pages: int = 0
    ocr_pages: int = 0
    ocr_pages_done: int = 0
    passages: int = 0
    passages_done: int = 0
    labels: dict[str, str] = jsonb()
    labels_stale: bool = False
    created_at: datetime = timestamp()
    updated_at: datetime = timestamp()


class DocumentVersion(SQLModel, table=True):
    """A content that the document has or had.

    state: pending | current (what a search finds) | replaced | failed. published_at: since when it was found, if ever.
    """

    __tablename__ = "document_versions"

    document_id: UUID = Field(primary_key=True, foreign_key="documents.id")
    number: int = Field(primary_key=True)
    org_id: UUID = Field(foreign_key="orgs.id")
    filename: str
    media_type: str
    size_bytes: int
    sha256: str
    state: str = "pending"
    published_at: datetime | None = timestamp(optional=True)
    created_at: datetime = timestamp()


class DocumentPage(SQLModel, table=True):
    """A page as the latest run read it. state: queued | ready | empty | failed. method: text | ocr."""

    __tablename__ = "document_pages"

    document_id: UUID = Field(primary_key=True, foreign_key="documents.id")
    page: int = Field(primary_key=True)
    org_id: UUID = Field(foreign_key="orgs.id")
    revision: int
    state: str
    method: str
    characters: int = 0
    confidence: float | None = None
    error: str | None = None
    updated_at: datetime = timestamp()


class Embedding(SQLModel, table=True):
    """The vector of a passage by the SHA-256 of what was embedded; float32, little endian."""

    __tablename__ = "embeddings"

    org_id: UUID = Field(primary_key=True, foreign_key="orgs.id")
    model: str = Field(primary_key=True)
    content_hash: bytes = Field(primary_key=True)
    vector: bytes
    used_at: datetime = timestamp()
