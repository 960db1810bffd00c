"""Collections and documents. Passages live in LanceDB, originals in object storage."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, SQLModel

from db.tables.columns import timestamp


class Collection(SQLModel, table=True):
    __tablename__ = "collections"

    id: UUID = Field(primary_key=True)
    org_id: UUID = Field(foreign_key="orgs.id")
    name: str
    description: str = ""
    created_at: datetime = timestamp()
    updated_at: datetime = timestamp()


class Document(SQLModel, table=True):
    """state: queued | parsing | indexing | ready | failed. revision fences ingestion runs."""

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
    state: str = "queued"
    error_code: str | None = None
    error_detail: str | None = None
    pages: int = 0
    passages: int = 0
    passages_done: int = 0
    created_at: datetime = timestamp()
    updated_at: datetime = timestamp()
