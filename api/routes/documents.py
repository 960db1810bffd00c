"""Documents: uploaded, followed through their ingestion, downloaded, tried again and deleted."""

import asyncio
import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, File, Form, Query, Response, UploadFile
from pydantic import BaseModel, Field

from api.dependencies import Reading, Resources, needs
from api.faults import InvalidParameter
from api.mutation import MutationRoute, Unit, Work
from api.pagination import Cursor, Limit, Page, cursor_of, page_after, page_of
from api.resources import ApiResources
from api.responses import errors
from api.starts import Relabel, StartIngest, StopIngest
from api.texts import KeepableText, RequestModel
from contracts.ingest import IngestInput
from db.tables.knowledge import Document, DocumentVersion
from domain.auth.principal import Principal
from domain.errors import Invalid, TooLarge
from domain.knowledge import label_store, media, store, version_store
from domain.knowledge.labels import Labels, read_filter, read_labels
from domain.knowledge.storage import original_key

router = APIRouter(prefix="/v1", tags=["documents"])
changes = APIRouter(prefix="/v1", tags=["documents"], route_class=MutationRoute)

Reader = Annotated[Principal, needs("documents:read")]
Writer = Annotated[Principal, needs("documents:write")]
State = Literal["queued", "parsing", "ocr", "indexing", "ready", "failed"]
_NAME_CHARS = 255

FormLabels = Annotated[
    KeepableText | None,
    Form(max_length=20_000, description='Labels as a JSON object, like {"plan": "premium"}.', examples=["{}"]),
]


class DocumentOut(BaseModel):
    """passages_done of passages are embedded so far; all become searchable at once, when it is ready.

    ocr_pages_done of ocr_pages are recognised so far. A failed document says why in error_detail; what an earlier
    revision made searchable stays. version counts its contents, revision the runs of its ingestion.
    labels are the document's, whatever its content.
    """

    id: UUID
    collection_id: UUID
    filename: str
    title: str
    media_type: str
    size_bytes: int
    sha256: str
    revision: int
    version: int
    state: State
    error_code: str | None
    error_detail: str | None
    pages: int
    ocr_pages: int
    ocr_pages_done: int
    passages: int
    passages_done: int
    labels: dict[str, str]
    created_at: datetime
    updated_at: datetime


class DocumentChange(RequestModel):
    """labels take the place of all it had."""

    labels: Annotated[Labels, Field(examples=[{"plan": "premium"}])]


@dataclass(frozen=True, slots=True)
class Received:
    """An uploaded file, looked at."""

    data: bytes
    filename: str
    media_type: str
    sha256: str

    @property
    def columns(self) -> dict[str, Any]:
        """What a row says of it."""
        return {
            "filename": self.filename,
            "media_type": self.media_type,
            "size_bytes": len(self.data),
            "sha256": self.sha256,
        }


async def receive(resources: ApiResources, file: UploadFile) -> Received:
    """Raises TooLarge, Invalid (its name), DocumentUnreadable (of no known kind)."""
    data = await file.read()
    if len(data) > resources.max_upload_bytes:
        raise TooLarge(f"a file has at most {resources.max_upload_bytes} bytes", pointer="/file")
    name = _filename(file)
    # Up to 0.1 s for 50 MB on a busy core: too long for the event loop that streams to everyone.
    kind, digest = await asyncio.to_thread(_look_at, data, name, file.content_type)
    return Received(data, name, kind, digest)


@changes.post("/collections/{collection_id}/documents", status_code=202, responses=errors(400, 404, 409, 413))
async def upload_document(
    principal: Writer,
    work: Work,
    resources: Resources,
    response: Response,
    collection_id: UUID,
    file: Annotated[UploadFile, File(description="A document of any readable kind.")],
    title: Annotated[KeepableText, Form(max_length=300)] = "",
    replace: Annotated[
        bool, Form(description="Make it the new content of the newest document of this file name, if there is one.")
    ] = False,
    labels: FormLabels = None,
) -> DocumentOut:
    """Store a file and begin its ingestion. The same bytes twice in a collection are one document.

    Labels that are given hold for a document that is there already, too; without, it keeps those it has.
    """
    said = given_labels(labels)
    got = await receive(resources, file)
    named = await store.named_document(work.session, collection_id, got.filename) if replace else None
    if named is not None:
        added = await version_store.replace_content(work.session, named.id, **got.columns, title=title)
    else:
        added = await store.add_document(
            work.session, principal.org_id, collection_id, **got.columns, title=title, labels=said
        )
    document = await labelled(work, added.document, said)
    return await begin_ingest(work, resources, response, document, got.data)


def given_labels(text: str | None) -> dict[str, str] | None:
    """Of a form field. Raises Invalid."""
    return None if text is None else read_labels(text, pointer="/labels")


async def labelled(work: Unit, document: Document, labels: dict[str, str] | None) -> Document:
    """With these labels; None: with those it has."""
    return document if labels is None else await label_store.set_labels(work.session, document, labels)


async def begin_ingest(
    work: Unit, resources: ApiResources, response: Response, document: Document, data: bytes
) -> DocumentOut:
    """Keep the original, and start the ingestion once the rows are committed."""
    await resources.storage.put(document.org_id, original_key(document.id, document.sha256), data)
    ingest(work, document)
    response.headers["Location"] = f"/v1/documents/{document.id}"
    return show(document)


@router.get("/collections/{collection_id}/documents", responses=errors(404))
async def list_documents(
    _principal: Reader,
    session: Reading,
    collection_id: UUID,
    state: Annotated[State | None, Query()] = None,
    label: Annotated[
        list[KeepableText] | None,
        Query(max_length=100, description="key=value; any of the values given for a key, and every key."),
    ] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[DocumentOut]:
    """Newest first."""
    try:
        where = label_store.having(read_filter(label or ()))
    except Invalid as error:
        raise InvalidParameter(error.detail, parameter="label") from None
    rows = await store.list_documents(
        session, collection_id, state=state, where=where, after=page_after(cursor), limit=limit + 1
    )
    return page_of(rows, limit, show, lambda row: cursor_of(row.created_at, row.id))


@router.get("/documents/{document_id}", responses=errors(404))
async def get_document(_principal: Reader, session: Reading, document_id: UUID) -> DocumentOut:
    """The document's state and how far its ingestion got."""
    return show(await store.get_document(session, document_id))


@changes.patch("/documents/{document_id}", responses=errors(400, 404, 413))
async def update_document(_principal: Writer, work: Work, document_id: UUID, change: DocumentChange) -> DocumentOut:
    """Give a document other labels. When this answers, searches go by them; nothing is read or embedded again."""
    document = await store.get_document(work.session, document_id, lock=True)
    document = await label_store.set_labels(work.session, document, change.labels)
    if document.labels_stale:
        work.start = Relabel(document_id=document.id)
    return show(document)


@router.get(
    "/documents/{document_id}/content",
    response_class=Response,
    responses={**errors(404), 200: {"content": {"application/octet-stream": {}}, "description": "The original bytes."}},
)
async def download_document(principal: Reader, session: Reading, resources: Resources, document_id: UUID) -> Response:
    """The file as it was uploaded."""
    document = await store.get_document(session, document_id)
    return await original(principal, resources, document.id, document)


async def original(
    principal: Principal, resources: ApiResources, document_id: UUID, content: Document | DocumentVersion
) -> Response:
    """The stored bytes. Raises NotFound."""
    data = await resources.storage.get(principal.org_id, original_key(document_id, content.sha256))
    return Response(
        data,
        media_type=content.media_type,
        headers={
            # A page somebody uploaded must never run as ours.
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(content.filename, safe='')}",
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "X-Content-Type-Options": "nosniff",
            "ETag": f'"{content.sha256}"',
        },
    )


@changes.post("/documents/{document_id}/retry", status_code=202, responses=errors(404))
async def retry_document(_principal: Writer, work: Work, document_id: UUID) -> DocumentOut:
    """Ingest again from the stored file. What was indexed before is found until the new one is ready."""
    document = await store.retry_document(work.session, document_id)
    ingest(work, document)
    return show(document)


@changes.post("/documents/{document_id}/cancel", status_code=202, responses=errors(404, 409))
async def cancel_document(_principal: Writer, work: Work, document_id: UUID) -> DocumentOut:
    """Stop its ingestion, which ends as failed (`cancelled`). What was searchable before stays so."""
    document = await store.cancel_document(work.session, document_id)
    work.start = StopIngest(input=ingest_input(document))
    return show(document)


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


def ingest(work: Unit, document: Document) -> None:
    """Start the ingestion of a queued document once the rows are committed."""
    # Also for one that was queued before: the process that should have started it may have died.
    if document.state == "queued":
        work.start = StartIngest(input=ingest_input(document))
    elif document.labels_stale:
        work.start = Relabel(document_id=document.id)


def _filename(file: UploadFile) -> str:
    name = (file.filename or "").replace("\\", "/").rpartition("/")[2].strip()
    if not name or len(name) > _NAME_CHARS or not name.isprintable():
        raise Invalid(f"the file needs a printable name of at most {_NAME_CHARS} characters", pointer="/file")
    return name


def _look_at(data: bytes, name: str, claimed: str | None) -> tuple[str, str]:
    return media.media_type(data, name, claimed), hashlib.sha256(data).hexdigest()


def show(row: Document) -> DocumentOut:
    """A row as the API tells it."""
    return DocumentOut.model_validate(row, from_attributes=True)
