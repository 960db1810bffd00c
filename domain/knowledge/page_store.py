"""What became of each page of a document, as its latest run saw it. Callers hold the document's row."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import delete, func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.tables.columns import now
from db.tables.knowledge import Document, DocumentPage
from domain.errors import Conflict, NotFound
from domain.knowledge import store

_ROWS_AT_ONCE = 1000
"""A statement of Postgres takes 32,767 values; a row here has ten."""

_DONE = ("ready", "empty", "failed")


async def put_pages(session: AsyncSession, document: Document, pages: Sequence[DocumentPage]) -> None:
    """These are the document's pages now, each once. Idempotent."""
    for start in range(0, len(pages), _ROWS_AT_ONCE):
        rows = [page.model_dump() for page in pages[start : start + _ROWS_AT_ONCE]]
        statement = insert(DocumentPage).values(rows)
        news = {name: statement.excluded[name] for name in rows[0] if name not in {"document_id", "page", "org_id"}}
        await session.exec(statement.on_conflict_do_update(index_elements=["document_id", "page"], set_=news))
    mine = col(DocumentPage.document_id) == document.id
    await session.exec(delete(DocumentPage).where(mine, col(DocumentPage.revision) != document.revision))


async def put_page(session: AsyncSession, page: DocumentPage) -> None:
    """Idempotent."""
    page.updated_at = now()
    await session.merge(page)
    await session.flush()


async def list_pages(
    session: AsyncSession, document_id: UUID, *, state: str | None = None, after: int = 0, limit: int = 100
) -> list[DocumentPage]:
    """In order, those with a greater number."""
    number = col(DocumentPage.page)
    statement = select(DocumentPage).where(DocumentPage.document_id == document_id, number > after)
    if state is not None:
        statement = statement.where(DocumentPage.state == state)
    return list((await session.exec(statement.order_by(number).limit(limit))).all())


async def retry_page(session: AsyncSession, document_id: UUID, page: int) -> Document:
    """A new revision, queued, that reads this page again: the caller forgets what was recognised on it.

    Raises NotFound, and Conflict while an ingestion is on its way or where a page's text stood in the file.
    """
    document = await store.get_document(session, document_id, lock=True)
    row = await session.get(DocumentPage, (document_id, page))
    if row is None:
        raise NotFound("no such page")
    if document.state not in {"ready", "failed"}:
        raise Conflict("its ingestion is on its way; cancel it or wait")
    if row.method != "ocr":
        raise Conflict("the text of this page stands in the file: retry the document")
    return await store.queue_again(session, document)


async def failed_pages(session: AsyncSession, document_id: UUID, pages: Sequence[int]) -> set[int]:
    """Those of the pages that this run could not read: it does not try them again."""
    wanted = (DocumentPage.document_id == document_id, DocumentPage.state == "failed")
    rows = await session.exec(select(DocumentPage.page).where(*wanted, col(DocumentPage.page).in_(pages)))
    return set(rows.all())


async def count_recognised(session: AsyncSession, document_id: UUID) -> int:
    """Pages that need recognition no more, because they have a text, none, or cannot be read."""
    wanted = (DocumentPage.document_id == document_id, DocumentPage.method == "ocr")
    statement = select(func.count()).where(*wanted, col(DocumentPage.state).in_(_DONE))
    return int((await session.exec(statement)).one())
