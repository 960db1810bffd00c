"""Versions of a document: new content in place of the old, and every original that a citation may point to."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, File, Form, Path, Response, UploadFile
from pydantic import BaseModel

from api.dependencies import Reading, Resources, needs
from api.mutation import MutationRoute, Work
from api.pagination import Cursor, Limit, Page, number_after, number_cursor, page_of
from api.responses import errors
from api.routes.documents import DocumentOut, FormLabels, begin_ingest, given_labels, labelled, original, receive
from api.texts import KeepableText
from db.tables.knowledge import DocumentVersion
from domain.auth.principal import Principal
from domain.knowledge import store, version_store

router = APIRouter(prefix="/v1/documents", tags=["documents"])
changes = APIRouter(prefix="/v1/documents", tags=["documents"], route_class=MutationRoute)

Reader = Annotated[Principal, needs("documents:read")]
Writer = Annotated[Principal, needs("documents:write")]
Number = Annotated[int, Path(ge=1, lt=2**31)]

_BYTES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {}}, "description": "The original bytes."}
}


class VersionOut(BaseModel):
    """current is the one whose passages a search finds; at most one is. published_at: since when it was found, null if
    never. A citation of a message quotes the version that was published last when the message was written.
    """

    number: int
    filename: str
    media_type: str
    size_bytes: int
    sha256: str
    state: Literal["pending", "current", "replaced", "failed"]
    published_at: datetime | None
    created_at: datetime


@changes.put("/{document_id}/content", status_code=202, responses=errors(400, 404, 409, 413))
async def replace_content(
    _principal: Writer,
    work: Work,
    resources: Resources,
    response: Response,
    document_id: UUID,
    file: Annotated[UploadFile, File(description="The document's new content, of any readable kind.")],
    title: Annotated[KeepableText, Form(max_length=300)] = "",
    labels: FormLabels = None,
) -> DocumentOut:
    """A new version. Until it is ready a search finds the old one, then the new one, never half of it.

    Only passages that changed are embedded. The bytes it has already are no new version. Without labels it keeps those
    it has.
    """
    said = given_labels(labels)
    got = await receive(resources, file)
    added = await version_store.replace_content(work.session, document_id, **got.columns, title=title)
    document = await labelled(work, added.document, said)
    return await begin_ingest(work, resources, response, document, got.data)


@router.get("/{document_id}/versions", responses=errors(404))
async def list_document_versions(
    _principal: Reader, session: Reading, document_id: UUID, cursor: Cursor = None, limit: Limit = 50
) -> Page[VersionOut]:
    """Newest first."""
    await store.get_document(session, document_id)
    rows = await version_store.list_versions(session, document_id, before=number_after(cursor), limit=limit + 1)
    return page_of(rows, limit, _show, lambda row: number_cursor(row.number))


@router.get("/{document_id}/versions/{number}/content", response_class=Response, responses={**errors(404), **_BYTES})
async def download_version(
    principal: Reader, session: Reading, resources: Resources, document_id: UUID, number: Number
) -> Response:
    """The file as it was uploaded then."""
    version = await version_store.get_version(session, document_id, number)
    return await original(principal, resources, document_id, version)


def _show(row: DocumentVersion) -> VersionOut:
    return VersionOut.model_validate(row, from_attributes=True)
