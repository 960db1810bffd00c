"""Sources: an address, a website or a database that documents come from, read again when asked or by a schedule."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Body, Query, Response
from pydantic import BaseModel, Field

from api.dependencies import Reading, Resources, needs
from api.mutation import MutationRoute, Unit, Work
from api.pagination import Cursor, Limit, Page, cursor_of, page_after, page_of
from api.responses import errors
from api.starts import StartCrawl, StopCrawl
from api.texts import RequestModel
from contracts.crawl import CrawlInput
from db.tables.sources import Source, SourceItem
from domain.auth.principal import Principal
from domain.knowledge import store as documents
from domain.knowledge.labels import Labels
from domain.sources import store
from domain.sources.config import DatabaseConfig, UrlConfig, WebsiteConfig
from domain.sources.upload import upload_prefix

router = APIRouter(prefix="/v1", tags=["sources"])
changes = APIRouter(prefix="/v1", tags=["sources"], route_class=MutationRoute)

Reader = Annotated[Principal, needs("documents:read")]
Writer = Annotated[Principal, needs("documents:write")]
ItemState = Literal["waiting", "stored", "unchanged", "duplicate", "skipped", "failed", "vanished"]
Minutes = Annotated[
    int | None, Field(ge=5, le=525_600, description="Read again every so many minutes; null: only when asked.")
]


class _New(RequestModel):
    """name: what people call it; the address or database when empty. labels: of every document made of it."""

    name: str = Field(default="", max_length=200)
    refresh_minutes: Minutes = None
    labels: Labels = Field(default_factory=dict)


class NewUrl(UrlConfig, _New):
    pass


class NewWebsite(WebsiteConfig, _New):
    pass


class NewDatabase(DatabaseConfig, _New):
    pass


NewSource = Annotated[NewUrl | NewWebsite | NewDatabase, Body(discriminator="kind")]


class SourceOut(BaseModel):
    """items: how many are in each state. documents: how far their ingestions are.

    A failed source says why in error_detail; what it had found before stays searchable.
    """

    id: UUID
    collection_id: UUID
    kind: str
    name: str
    config: dict[str, Any]
    labels: dict[str, str]
    refresh_minutes: int | None
    state: Literal["queued", "running", "ready", "failed"]
    run: int
    error_code: str | None
    error_detail: str | None
    refreshed_at: datetime | None
    created_at: datetime
    updated_at: datetime
    items: dict[str, int] | None = None
    documents: dict[str, int] | None = None


class ItemOut(BaseModel):
    """key: the page's address, the file's path in its archive, or the table or row. detail: why it has its state."""

    id: UUID
    key: str
    state: ItemState
    detail: str
    depth: int
    run: int
    document_id: UUID | None
    created_at: datetime
    updated_at: datetime


@changes.post("/collections/{collection_id}/sources", status_code=202, responses=errors(400, 404))
async def create_source(
    principal: Writer, work: Work, response: Response, collection_id: UUID, body: NewSource
) -> SourceOut:
    """Begin to read a source into a collection; each thing found there becomes a document."""
    config = body.model_dump(mode="json", exclude={"name", "refresh_minutes", "labels"})
    source = await store.create_source(
        work.session,
        principal.org_id,
        collection_id,
        config=config,
        name=body.name or str(config.get("url") or config.get("database")),
        refresh_minutes=body.refresh_minutes,
        labels=body.labels,
    )
    start_crawl(work, source)
    response.headers["Location"] = f"/v1/sources/{source.id}"
    return show(source)


@router.get("/collections/{collection_id}/sources", responses=errors(404))
async def list_sources(
    _principal: Reader, session: Reading, collection_id: UUID, cursor: Cursor = None, limit: Limit = 50
) -> Page[SourceOut]:
    """Newest first, without counts."""
    rows = await store.list_sources(session, collection_id, after=page_after(cursor), limit=limit + 1)
    return page_of(rows, limit, show, lambda row: cursor_of(row.created_at, row.id))


@router.get("/sources/{source_id}", responses=errors(404))
async def get_source(_principal: Reader, session: Reading, source_id: UUID) -> SourceOut:
    """The source's state, what was found there and how far its documents are."""
    source = await store.get_source(session, source_id)
    items = await store.count_items(session, source_id)
    return show(source).model_copy(
        update={"items": items, "documents": await store.count_documents(session, source_id)}
    )


@router.get("/sources/{source_id}/items", responses=errors(404))
async def list_source_items(
    _principal: Reader,
    session: Reading,
    source_id: UUID,
    state: Annotated[ItemState | None, Query()] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[ItemOut]:
    """Newest first: what became of each page, file, table or row."""
    rows = await store.list_items(session, source_id, state=state, after=page_after(cursor), limit=limit + 1)
    return page_of(rows, limit, _show_item, lambda row: cursor_of(row.created_at, row.id))


@changes.post("/sources/{source_id}/refresh", status_code=202, responses=errors(404, 409))
async def refresh_source(_principal: Writer, work: Work, source_id: UUID) -> SourceOut:
    """Read it again: what has not changed is not ingested again, what has vanished is reported."""
    source = await store.queue_source(work.session, source_id)
    start_crawl(work, source)
    return show(source)


@changes.delete("/sources/{source_id}", status_code=204, responses=errors(404))
async def delete_source(
    principal: Writer,
    work: Work,
    resources: Resources,
    source_id: UUID,
    documents_too: Annotated[bool, Query(description="Delete the documents that came from it as well.")] = False,
) -> None:
    """Stop reading it. Its documents stay, unless they are to go too."""
    found = await store.delete_source(work.session, source_id)
    for document_id in dict.fromkeys(found) if documents_too else ():
        document = await documents.delete_document(work.session, document_id)
        await resources.removal.document(principal.org_id, document.collection_id, document.id)
    await resources.storage.delete(principal.org_id, upload_prefix(source_id))
    work.start = StopCrawl(source_id=source_id)


def start_crawl(work: Unit, source: Source) -> None:
    """Also for one that was queued before: the process that should have started it may have died."""
    if source.state == "queued":
        work.start = StartCrawl(input=CrawlInput(org_id=source.org_id, source_id=source.id))


def show(row: Source) -> SourceOut:
    return SourceOut.model_validate(row, from_attributes=True)


def _show_item(row: SourceItem) -> ItemOut:
    return ItemOut.model_validate(row, from_attributes=True)
