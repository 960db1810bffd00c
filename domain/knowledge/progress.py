"""The states an ingestion moves a document through: queued, parsing, indexing, ready or failed.

Every change is fenced: a run of an older revision, or of a deleted document, changes nothing.
"""

from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from db.tables.knowledge import Document
from domain.errors import Superseded
from domain.knowledge import store


async def hold(session: AsyncSession, document_id: UUID, revision: int) -> Document:
    """The row, locked until the transaction ends. Raises NotFound, and Superseded for any other revision."""
    document = await store.get_document(session, document_id, lock=True)
    if document.revision != revision:
        raise Superseded(f"revision {document.revision} is the current one, not {revision}")
    return document


async def parsing(session: AsyncSession, document_id: UUID, revision: int) -> Document:
    """Idempotent. Raises NotFound, Superseded."""
    document = await hold(session, document_id, revision)
    return await store.change(session, document, state="parsing", error_code=None, error_detail=None)


async def indexing(
    session: AsyncSession, document_id: UUID, revision: int, *, title: str, media_type: str, pages: int, passages: int
) -> Document:
    """A title that was given at the upload stays. Idempotent. Raises NotFound, Superseded."""
    document = await hold(session, document_id, revision)
    return await store.change(
        session,
        document,
        state="indexing",
        title=document.title or title,
        media_type=media_type,
        pages=pages,
        passages=passages,
    )


async def indexed(session: AsyncSession, document: Document, *, stop: int) -> None:
    """Passages up to `stop` are in, as far as the latest batch says. Idempotent; never goes back."""
    await store.change(session, document, passages_done=max(document.passages_done, stop))


async def ready(session: AsyncSession, document: Document, *, pages: int, passages: int) -> None:
    """Idempotent."""
    await store.change(
        session,
        document,
        state="ready",
        pages=pages,
        passages=passages,
        passages_done=passages,
        error_code=None,
        error_detail=None,
    )


async def failed(session: AsyncSession, document_id: UUID, revision: int, *, code: str, detail: str) -> Document:
    """What is ready stays ready. Idempotent. Raises NotFound, Superseded."""
    document = await hold(session, document_id, revision)
    if document.state == "ready":
        return document
    return await store.change(session, document, state="failed", error_code=code, error_detail=detail)
