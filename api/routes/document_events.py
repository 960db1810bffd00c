"""A document's ingestion as it happens, as server-sent events. Not a log: it begins with the present state."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Response

from api.dependencies import Resources, needs
from api.frames import sse_note
from api.resources import ApiResources
from api.responses import errors
from api.routes.documents import DocumentOut, show
from api.stream import Stream
from domain.auth.principal import Principal
from domain.errors import NotFound
from domain.knowledge import store

router = APIRouter(prefix="/v1/documents", tags=["documents"])

Reader = Annotated[Principal, needs("documents:read")]

_PACE_SECONDS = 0.25
"""A batch of passages takes 2-4 s; a reader sees each, and a hundred of them cost the database 400 short reads a
second, a tenth of a core."""

_STREAMED: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events: `progress` whenever something changed, then `ready`, `failed` or "
        "`deleted`, and the end. `data` is the document as JSON. A comment every 15 s keeps the line open.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
}


@router.get("/{document_id}/events", response_class=Response, responses={**errors(404), **_STREAMED})
async def stream_document_events(principal: Reader, resources: Resources, document_id: UUID) -> Response:
    """Follow its ingestion to the end. After a lost connection ask again: the first event is the present state."""
    return Stream(_follow(resources, principal.org_id, document_id))


async def _follow(resources: ApiResources, org_id: UUID, document_id: UUID) -> AsyncGenerator[bytes, None]:
    # The first reading is made before the status goes out: one that is not there is a 404.
    seen = await _read(resources, org_id, document_id)
    yield _frame(seen)
    while seen.state not in {"ready", "failed"}:
        await asyncio.sleep(_PACE_SECONDS)
        try:
            now = await _read(resources, org_id, document_id)
        except NotFound:
            yield sse_note("deleted", {"id": str(document_id)})
            return
        if now != seen:
            seen = now
            yield _frame(seen)


async def _read(resources: ApiResources, org_id: UUID, document_id: UUID) -> DocumentOut:
    async with resources.database.session(org_id) as session:
        return show(await store.get_document(session, document_id))


def _frame(document: DocumentOut) -> bytes:
    name = document.state if document.state in {"ready", "failed"} else "progress"
    return sse_note(name, document.model_dump(mode="json"))
