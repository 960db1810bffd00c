"""Sources of documents, and the things found there: pages, files of an archive, tables and rows."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import Field, SQLModel

from db.tables.columns import jsonb, timestamp


class Source(SQLModel, table=True):
    """state: queued | running | ready | failed. run counts refreshes and fences older ones.

    position numbers the documents handed to ingestion. labels: of the documents it makes.
    robots: robots.txt of each host, as read in this run.
    """

    __tablename__ = "sources"

    id: UUID = Field(primary_key=True)
    org_id: UUID = Field(foreign_key="orgs.id")
    collection_id: UUID = Field(foreign_key="collections.id")
    kind: str
    name: str
    config: dict[str, Any] = jsonb()
    labels: dict[str, str] = jsonb()
    refresh_minutes: int | None = None
    state: str = "queued"
    run: int = 0
    run_key: str = ""
    position: int = 0
    robots: dict[str, str] = jsonb()
    error_code: str | None = None
    error_detail: str | None = None
    refreshed_at: datetime | None = timestamp(optional=True)
    created_at: datetime = timestamp()
    updated_at: datetime = timestamp()


class SourceItem(SQLModel, table=True):
    """state: waiting | stored | unchanged | duplicate | skipped | failed | vanished. run saw it last.

    key: the page's address, the file's path in its archive, or the table or row.
    """

    __tablename__ = "source_items"

    id: UUID = Field(primary_key=True)
    org_id: UUID = Field(foreign_key="orgs.id")
    source_id: UUID = Field(foreign_key="sources.id")
    key: str
    depth: int = 0
    run: int
    state: str
    position: int | None = None
    document_id: UUID | None = Field(default=None, foreign_key="documents.id")
    sha256: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    detail: str = ""
    created_at: datetime = timestamp()
    updated_at: datetime = timestamp()
