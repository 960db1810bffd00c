"""The states an ingestion moves a document through: queued, parsing, ocr, indexing, ready or failed.

Every change is fenced: a run of an older revision, or of a deleted document, changes nothing.
"""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from db.tables.knowledge import Document, DocumentPage
from domain.errors import Superseded
from domain.knowledge import page_store, store, version_store
from domain.knowledge.extract import Extract
from domain.knowledge.recognised import RecognisedPage


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


async def parsed(
    session: AsyncSession, document_id: UUID, revision: int, extract: Extract, *, passages: int
) -> Document:
    """The file was read, its scans not yet. A title that was given at the upload stays. Idempotent.

    Raises NotFound, Superseded.
    """
    document = await hold(session, document_id, revision)
    await page_store.put_pages(session, document, _pages(document, extract))
    return await store.change(
        session,
        document,
        state="ocr" if extract.scans else "indexing",
        title=document.title or extract.title,
        media_type=extract.media_type,
        pages=extract.pages,
        passages=passages,
        ocr_pages=len(extract.scans),
        ocr_pages_done=await page_store.count_recognised(session, document_id),
    )


async def recognised(session: AsyncSession, document_id: UUID, revision: int, pages: Sequence[RecognisedPage]) -> None:
    """Text was found on these pages, or none. Idempotent. Raises NotFound, Superseded."""
    document = await hold(session, document_id, revision)
    for page in pages:
        state = "ready" if page.text.strip() else "empty"
        row = _page(document, page.page, state, "ocr", characters=len(page.text), confidence=page.confidence)
        await page_store.put_page(session, row)
    await _count_recognised(session, document)


async def unreadable(session: AsyncSession, document_id: UUID, revision: int, page: int, why: str) -> None:
    """That page cannot be read, whatever becomes of the others. Idempotent. Raises NotFound, Superseded."""
    document = await hold(session, document_id, revision)
    await page_store.put_page(session, _page(document, page, "failed", "ocr", error=why))
    await _count_recognised(session, document)


async def indexing(session: AsyncSession, document_id: UUID, revision: int, *, passages: int) -> Document:
    """Idempotent. Raises NotFound, Superseded."""
    document = await hold(session, document_id, revision)
    return await store.change(session, document, state="indexing", passages=passages)


async def indexed(session: AsyncSession, document: Document, *, stop: int) -> None:
    """Passages up to `stop` are in, as far as the latest batch says. Idempotent; never goes back."""
    await store.change(session, document, passages_done=max(document.passages_done, stop))


async def ready(session: AsyncSession, document: Document, *, pages: int, passages: int) -> None:
    """Idempotent."""
    await version_store.published(session, document)
    await store.change(
        session,
        document,
        state="ready",
        pages=pages,
        passages=passages,
        passages_done=passages,
        labels_stale=False,
        error_code=None,
        error_detail=None,
    )


async def failed(session: AsyncSession, document_id: UUID, revision: int, *, code: str, detail: str) -> Document:
    """What is ready stays ready. Idempotent. Raises NotFound, Superseded."""
    document = await hold(session, document_id, revision)
    if document.state == "ready":
        return document
    await store.mark_version(session, document, "failed", only="pending")
    return await store.change(session, document, state="failed", error_code=code, error_detail=detail)


async def _count_recognised(session: AsyncSession, document: Document) -> None:
    done = await page_store.count_recognised(session, document.id)
    await store.change(session, document, ocr_pages_done=done)


def _pages(document: Document, extract: Extract) -> list[DocumentPage]:
    characters = Counter[int | None]()
    for span in extract.spans:
        characters[span.page] += span.end - span.start
    scans = set(extract.scans)
    pages = []
    for number in range(1, extract.pages + 1):
        size = characters[number]
        state = "queued" if number in scans else "ready" if size else "empty"
        method = "ocr" if number in scans else "text"
        pages.append(_page(document, number, state, method, characters=size))
    return pages


def _page(
    document: Document,
    page: int,
    state: str,
    method: str,
    *,
    characters: int = 0,
    confidence: float | None = None,
    error: str | None = None,
) -> DocumentPage:
    return DocumentPage(
        document_id=document.id,
        page=page,
        org_id=document.org_id,
        revision=document.revision,
        state=state,
        method=method,
        characters=characters,
        confidence=confidence,
        error=error,
    )
