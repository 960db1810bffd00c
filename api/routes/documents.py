"""Documents: uploaded, followed through their ingestion, downloaded, tried again and deleted."""

import asyncio
import hashlib
from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, File, Form, Query, Response, UploadFile
from pydantic import BaseModel

from api.dependencies import Reading, Resources, needs
from api.mutation import MutationRoute, Unit, Work
from api.pagination import Cursor, Limit, Page, cursor_of, page_after, page_of
from api.responses import errors
from api.starts import StartIngest
from api.texts import KeepableText
from contracts.ingest import IngestInput
from db.tables.knowledge import Document
from domain.auth.principal import Principal
from domain.errors import Invalid, TooLarge
from domain.knowledge import media, store
from domain.knowledge.storage import original_key

router = APIRouter(prefix="/v1", tags=["documents"])
changes = APIRouter(prefix="/v1", tags=["documents"], route_class=MutationRoute)

Reader = Annotated[Principal, needs("documents:read")]
Writer = Annotated[Principal, needs("documents:write")]
State = Literal["queued", "parsing", "indexing", "ready", "failed"]
_NAME_CHARS = 255


class DocumentOut(BaseModel):
    """passages_done of passages are embedded so far; all become searchable at once, when it is ready.

    A failed document says why in error_detail.
    """

    id: UUID
    collection_id: UUID
    filename: str
    title: str
    media_type: str
    size_bytes: int
    sha256: str
    revision: int
    state: State
    error_code: str | None
    error_detail: str | None
    pages: int
    passages: int
    passages_done: int
    created_at: datetime
    updated_at: datetime


@changes.post("/collections/{collection_id}/documents", status_code=202, responses=errors(400, 404, 413))
async def upload_document(
    principal: Writer,
    work: Work,
    resources: Resources,
    response: Response,
    collection_id: UUID,
    file: Annotated[UploadFile, File(description="Markdown, HTML, plain text or PDF.")],
    title: Annotated[KeepableText, Form(max_length=300)] = "",
) -> DocumentOut:
    """Store a file and begin its ingestion. The same bytes twice in a collection are one document."""
    data = await file.read()
    if len(data) > resources.max_upload_bytes:
        raise TooLarge(f"a file has at most {resources.max_upload_bytes} bytes", pointer="/file")
    name = _filename(file)
    # Up to 0.1 s for 50 MB on a busy core: too long for the event loop that streams to everyone.
    kind, digest = await asyncio.to_thread(_look_at, data, name, file.content_type)
    added = await store.add_document(
        work.session,
        principal.org_id,
        collection_id,
        filename=name,
        media_type=kind,
        size_bytes=len(data),
        sha256=digest,
        title=title,
    )
    document = added.document
    await resources.storage.put(principal.org_id, original_key(document.id, digest), data)
    _ingest(work, document)
    response.headers["Location"] = f"/v1/documents/{document.id}"
    return _show(document)


@router.get("/collections/{collection_id}/documents", responses=errors(404))
async def list_documents(
    _principal: Reader,
    session: Reading,
    collection_id: UUID,
    state: Annotated[State | None, Query()] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[DocumentOut]:
    """Newest first."""
    rows = await store.list_documents(session, collection_id, state=state, after=page_after(cursor), limit=limit + 1)
    return page_of(rows, limit, _show, lambda row: cursor_of(row.created_at, row.id))


@router.get("/documents/{document_id}", responses=errors(404))
async def get_document(_principal: Reader, session: Reading, document_id: UUID) -> DocumentOut:
    """The document's state and how far its ingestion got."""
    return _show(await store.get_document(session, document_id))


@router.get(
    "/documents/{document_id}/content",
    response_class=Response,
    responses={**errors(404), 200: {"content": {"application/octet-stream": {}}, "description": "The original bytes."}},
)
async def download_document(principal: Reader, session: Reading, resources: Resources, document_id: UUID) -> Response:
    """The file as it was uploaded."""
    document = await store.get_document(session, document_id)
    data = await resources.storage.get(principal.org_id, original_key(document.id, document.sha256))
    return Response(
        data,
        media_type=document.media_type,
        headers={
            # A page somebody uploaded must never run as ours.
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(document.filename, safe='')}",
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "X-Content-Type-Options": "nosniff",
            "ETag": f'"{document.sha256}"',
        },
    )


@changes.post("/documents/{document_id}/retry", status_code=202, responses=errors(404))
async def retry_document(_principal: Writer, work: Work, document_id: UUID) -> DocumentOut:
    """Ingest again from the stored file. What was indexed before is found until the new one is ready."""
    document = await store.retry_document(work.session, document_id)
    _ingest(work, document)
    return _show(document)


@changes.delete("/documents/{document_id}", status_code=204, responses=errors(404))
async def delete_document(principal: Writer, work: Work, resources: Resources, document_id: UUID) -> None:
    """Delete a document and its passages. Citations of past answers keep their quotes."""
    document = await store.delete_document(work.session, document_id)
    await resources.removal.document(principal.org_id, document.collection_id, document.id)


def ingest_input(document: Document) -> IngestInput:
    return IngestInput(
        org_id=document.org_id,
        collection_id=document.collection_id,
        document_id=document.id,
        revision=document.revision,
    )


def _ingest(work: Unit, document: Document) -> None:
    # Also for one that was queued before: the process that should have started it may have died.
    if document.state == "queued":
        work.start = StartIngest(input=ingest_input(document))


def _filename(file: UploadFile) -> str:
    name = (file.filename or "").replace("\\", "/").rpartition("/")[2].strip()
    if not name or len(name) > _NAME_CHARS or not name.isprintable():
        raise Invalid(f"the file needs a printable name of at most {_NAME_CHARS} characters", pointer="/file")
    return name


def _look_at(data: bytes, name: str, claimed: str | None) -> tuple[str, str]:
    return media.media_type(data, name, claimed), hashlib.sha256(data).hexdigest()


def _show(row: Document) -> DocumentOut:
    return DocumentOut.model_validate(row, from_attributes=True)
