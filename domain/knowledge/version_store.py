"""Contents that a document has had: each upload of new bytes is a version, and its original stays.

A search finds the passages of one version: the latest that could be read.
"""

from uuid import UUID

from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.tables.columns import now
from db.tables.knowledge import Document, DocumentVersion
from domain.errors import Conflict, NotFound
from domain.knowledge import store


async def replace_content(
    session: AsyncSession,
    document_id: UUID,
    *,
    filename: str,
    media_type: str,
    size_bytes: int,
    sha256: str,
    title: str = "",
) -> store.Added:
    """New bytes are a new version and a new revision, queued; the caller starts its ingestion.

    The bytes it has already are no version: nothing is done, but a failed document is tried again.
    Without a title the new content brings its own. Raises NotFound, and Conflict when another document
    of the collection holds these bytes.
    """
    document = await store.get_document(session, document_id, lock=True)
    if document.sha256 == sha256:
        if document.state != "failed":
            return store.Added(document, created=False, starts=False)
        return store.Added(await store.queue_again(session, document), created=False, starts=True)
    try:
        async with session.begin_nested():
            document = await store.change(
                session,
                document,
                filename=filename,
                title=title,
                media_type=media_type,
                size_bytes=size_bytes,
                sha256=sha256,
                version=document.version + 1,
            )
    except IntegrityError:  # only the bytes must be unique in a collection
        raise Conflict("another document of this collection holds these bytes", pointer="/file") from None
    await _put_aside(session, document, "pending")
    await store.open_version(session, document)
    return store.Added(await store.queue_again(session, document), created=False, starts=True)


async def published(session: AsyncSession, document: Document) -> None:
    """A search finds the document's version now, and none of its older ones. Idempotent."""
    await _put_aside(session, document, "current")
    await store.mark_version(session, document, "current")
    mine = (col(DocumentVersion.document_id) == document.id, col(DocumentVersion.number) == document.version)
    first = col(DocumentVersion.published_at).is_(None)
    await session.exec(update(DocumentVersion).where(*mine, first).values(published_at=now()))


async def list_versions(
    session: AsyncSession, document_id: UUID, *, before: int | None = None, limit: int = 50
) -> list[DocumentVersion]:
    """Newest first."""
    number = col(DocumentVersion.number)
    statement = select(DocumentVersion).where(DocumentVersion.document_id == document_id)
    if before is not None:
        statement = statement.where(number < before)
    return list((await session.exec(statement.order_by(number.desc()).limit(limit))).all())


async def get_version(session: AsyncSession, document_id: UUID, number: int) -> DocumentVersion:
    """Raises NotFound."""
    row = await session.get(DocumentVersion, (document_id, number), populate_existing=True)
    if row is None:
        raise NotFound("no such version")
    return row


async def _put_aside(session: AsyncSession, document: Document, state: str) -> None:
    mine = (col(DocumentVersion.document_id) == document.id, col(DocumentVersion.number) != document.version)
    await session.exec(
        update(DocumentVersion).where(*mine, col(DocumentVersion.state) == state).values(state="replaced")
    )
