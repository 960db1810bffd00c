"""Pages of a document: how each was read, and another try at one of them."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel

from api.dependencies import Reading, Resources, needs
from api.mutation import MutationRoute, Work
from api.pagination import Cursor, Limit, Page, number_after, number_cursor, page_of
from api.responses import errors
from api.routes.documents import DocumentOut, ingest, show
from db.tables.knowledge import DocumentPage
from domain.auth.principal import Principal
from domain.knowledge import page_store, store
from domain.knowledge.recognised import RecognisedPages

router = APIRouter(prefix="/v1/documents", tags=["documents"])
changes = APIRouter(prefix="/v1/documents", tags=["documents"], route_class=MutationRoute)

Reader = Annotated[Principal, needs("documents:read")]
Writer = Annotated[Principal, needs("documents:write")]
Number = Annotated[int, Path(ge=1, lt=2**31)]
PageState = Literal["queued", "ready", "empty", "failed"]


class PageOut(BaseModel):
    """method: its text stood in the file, or was recognised in a picture (ocr), with that confidence (0 to 1)."""

    page: int
    state: PageState
    method: Literal["text", "ocr"]
    characters: int
    confidence: float | None
    error: str | None
    updated_at: datetime


@router.get("/{document_id}/pages", responses=errors(404))
async def list_pages(
    _principal: Reader,
    session: Reading,
    document_id: UUID,
    state: Annotated[PageState | None, Query()] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[PageOut]:
    """In order, as the latest run read them. None for kinds without pages."""
    await store.get_document(session, document_id)
    after = number_after(cursor) or 0
    rows = await page_store.list_pages(session, document_id, state=state, after=after, limit=limit + 1)
    return page_of(rows, limit, _show, lambda row: number_cursor(row.page))


@changes.post("/{document_id}/pages/{page}/retry", status_code=202, responses=errors(404, 409))
async def retry_page(
    principal: Writer, work: Work, resources: Resources, document_id: UUID, page: Number
) -> DocumentOut:
    """Recognise this page again. Nothing else is: the other pages and unchanged passages are used as they are."""
    document = await page_store.retry_page(work.session, document_id, page)
    await RecognisedPages(resources.storage).forget(principal.org_id, document.id, document.sha256, page)
    ingest(work, document)
    return show(document)


def _show(row: DocumentPage) -> PageOut:
    return PageOut.model_validate(row, from_attributes=True)
