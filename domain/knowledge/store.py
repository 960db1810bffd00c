"""Rows of collections and documents. Callers own the transaction; row-level security picks the tenant.

Passages are not here: see `index.py`. Bytes are not here: see `storage.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, delete, func, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.tables.columns import now
from db.tables.knowledge import Collection, Document, DocumentVersion
from domain.errors import Conflict, NotFound

Cursor = tuple[datetime, UUID]
"""created_at and id of the last row of a page; lists go from newest to oldest."""


@dataclass(frozen=True, slots=True)
class Added:
    """starts: an ingestion of `document.revision` must be started. created: the row is new."""

    document: Document
    created: bool
    starts: bool


async def create_collection(session: AsyncSession, org_id: UUID, name: str, description: str = "") -> Collection:
    """Raises Conflict when the organisation has a collection of that name."""
    collection = Collection(id=uuid4(), org_id=org_id, name=name, description=description)
    statement = (
        insert(Collection).values(collection.model_dump()).on_conflict_do_nothing().returning(col(Collection.id))
    )
    if (await session.exec(statement)).scalar_one_or_none() is None:
        raise _name_taken(name)
    return collection


async def get_collection(session: AsyncSession, collection_id: UUID) -> Collection:
    """Raises NotFound."""
    collection = await session.get(Collection, collection_id)
    if collection is None:
        raise NotFound("no such collection")
    return collection


async def list_collections(session: AsyncSession, *, after: Cursor | None = None, limit: int = 50) -> list[Collection]:
    """Newest first, at most `limit`; `after` is the cursor of the last one seen."""
    created_at, row_id = col(Collection.created_at), col(Collection.id)
    statement = select(Collection).order_by(created_at.desc(), row_id.desc()).limit(limit)
    if after is not None:
        statement = statement.where(tuple_(created_at, row_id) < after)
    return list((await session.exec(statement)).all())


async def update_collection(
    session: AsyncSession, collection_id: UUID, *, name: str | None = None, description: str | None = None
) -> Collection:
    """What is None stays. Raises NotFound, Conflict (name taken)."""
    collection = await get_collection(session, collection_id)
    try:
        async with session.begin_nested():
            collection.name = collection.name if name is None else name
            collection.description = collection.description if description is None else description
            collection.updated_at = now()
    except IntegrityError:  # the name is the only thing here that must be unique
        raise _name_taken(str(name)) from None
    return collection


async def hold_collection(session: AsyncSession, collection_id: UUID) -> Collection:
    """Until the transaction ends nobody else writes to the collection's index or deletes it. Raises NotFound.

    Take it before a document's row: everyone in the same order, so nobody waits for each other.
    """
    lock = {"key_share": True}  # uploads may still refer to the row
    collection = await session.get(Collection, collection_id, with_for_update=lock, populate_existing=True)
    if collection is None:
        raise NotFound("no such collection")
    return collection


async def delete_collection(session: AsyncSession, collection_id: UUID) -> list[UUID]:
    """Delete the collection with its documents; returns the documents' ids. Raises NotFound.

    Passages and objects go with `removal.py`, before this transaction commits.
    """
    await hold_collection(session, collection_id)
    gone = await session.exec(
        delete(Document).where(col(Document.collection_id) == collection_id).returning(col(Document.id))
    )
    ids = list(gone.scalars())
    await session.exec(delete(Collection).where(col(Collection.id) == collection_id))
    return ids


async def add_document(
    session: AsyncSession,
    org_id: UUID,
    collection_id: UUID,
    *,
    filename: str,
    media_type: str,
    size_bytes: int,
    sha256: str,
    title: str = "",
    labels: Mapping[str, str] | None = None,
) -> Added:
    """The document of these bytes in this collection. Raises NotFound (no such collection).

    labels: of a new one. The same bytes uploaded twice are one document; one that failed is tried again as a new
    revision. Idempotent while the first upload is queued, running or done.
    """
    await get_collection(session, collection_id)
    document = Document(
        id=uuid4(),
        org_id=org_id,
        collection_id=collection_id,
        filename=filename,
        title=title,
        media_type=media_type,
        size_bytes=size_bytes,
        sha256=sha256,
        labels=dict(labels or {}),
    )
    statement = insert(Document).values(document.model_dump()).on_conflict_do_nothing().returning(col(Document.id))
    if (await session.exec(statement)).scalar_one_or_none() is not None:
        await open_version(session, document)
        return Added(document, created=True, starts=True)
    known = (
        await session.exec(
            select(Document).where(Document.collection_id == collection_id, Document.sha256 == sha256).with_for_update()
        )
    ).one()
    if known.state != "failed":
        return Added(known, created=False, starts=False)
    return Added(await queue_again(session, known), created=False, starts=True)


async def retry_document(session: AsyncSession, document_id: UUID) -> Document:
    """A new revision, queued: the caller starts its ingestion. What runs of an older one changes nothing more.

    Passages of the older revision are found until the new one is ready. Raises NotFound.
    """
    return await queue_again(session, await get_document(session, document_id, lock=True))


async def cancel_document(session: AsyncSession, document_id: UUID) -> Document:
    """Ends its ingestion as failed; the caller stops the run, which changes nothing more. What a search found
    before it finds still. Raises NotFound, and Conflict when no ingestion is on its way.
    """
    document = await get_document(session, document_id, lock=True)
    if document.state in {"ready", "failed"}:
        raise Conflict(f"the document is {document.state}: nothing is on its way")
    await mark_version(session, document, "failed", only="pending")
    return await change(
        session,
        document,
        revision=document.revision + 1,
        state="failed",
        error_code="cancelled",
        error_detail="the ingestion was cancelled",
    )


async def named_document(session: AsyncSession, collection_id: UUID, filename: str) -> Document | None:
    """The newest of that file name, if there is one."""
    statement = select(Document).where(Document.collection_id == collection_id, Document.filename == filename)
    return (await session.exec(statement.order_by(col(Document.created_at).desc()).limit(1))).first()


async def get_document(session: AsyncSession, document_id: UUID, *, lock: bool = False) -> Document:
    """lock: nobody else changes or deletes the row until the transaction ends. Raises NotFound."""
    document = await session.get(Document, document_id, with_for_update=lock or None, populate_existing=lock)
    if document is None:
        raise NotFound("no such document")
    return document


async def list_documents(
    session: AsyncSession,
    collection_id: UUID,
    *,
    state: str | None = None,
    where: Sequence[ColumnElement[bool]] = (),
    after: Cursor | None = None,
    limit: int = 50,
) -> list[Document]:
    """Newest first, at most `limit`; `after` is the cursor of the last one seen. where: conditions that must hold too,
    like `label_store.having`. Raises NotFound (collection).
    """
    await get_collection(session, collection_id)
    created_at, row_id = col(Document.created_at), col(Document.id)
    statement = select(Document).where(Document.collection_id == collection_id, *where)
    if state is not None:
        statement = statement.where(Document.state == state)
    if after is not None:
        statement = statement.where(tuple_(created_at, row_id) < after)
    return list((await session.exec(statement.order_by(created_at.desc(), row_id.desc()).limit(limit))).all())


async def unfinished_documents(session: AsyncSession, *, before: datetime, limit: int = 1000) -> list[Document]:
    """Of the whole organisation, those on their way that did not change since; the longest unchanged first."""
    changed_at = col(Document.updated_at)
    on_the_way = col(Document.state).not_in(("ready", "failed"))
    statement = select(Document).where(on_the_way, changed_at < before).order_by(changed_at).limit(limit)
    return list((await session.exec(statement)).all())


async def collection_ids(session: AsyncSession) -> list[UUID]:
    """Of the whole organisation."""
    return list((await session.exec(select(Collection.id).order_by(col(Collection.id)))).all())


async def count_documents(session: AsyncSession, collection_id: UUID) -> dict[str, int]:
    """How many documents of the collection are in each state; states without any are left out."""
    rows = await session.exec(
        select(Document.state, func.count()).where(Document.collection_id == collection_id).group_by(Document.state)
    )
    return dict(rows.all())


async def delete_document(session: AsyncSession, document_id: UUID) -> Document:
    """The row as it was. Raises NotFound. Passages and objects go with `removal.py`."""
    await hold_collection(session, (await get_document(session, document_id)).collection_id)
    document = await get_document(session, document_id, lock=True)
    await session.exec(delete(Document).where(col(Document.id) == document_id))
    return document


async def change(session: AsyncSession, document: Document, **values: Any) -> Document:
    """Write columns of a row that the caller holds, and its `updated_at`."""
    values["updated_at"] = now()
    await session.exec(update(Document).where(col(Document.id) == document.id).values(values))
    await session.refresh(document)
    return document


async def open_version(session: AsyncSession, document: Document) -> None:
    """Write down the document's content as its version, not found by a search yet."""
    session.add(
        DocumentVersion(
            document_id=document.id,
            number=document.version,
            org_id=document.org_id,
            filename=document.filename,
            media_type=document.media_type,
            size_bytes=document.size_bytes,
            sha256=document.sha256,
        )
    )
    await session.flush()


async def mark_version(session: AsyncSession, document: Document, state: str, *, only: str | None = None) -> None:
    """The state of the document's latest version; only: where it is this one now. Idempotent."""
    mine = [col(DocumentVersion.document_id) == document.id, col(DocumentVersion.number) == document.version]
    if only is not None:
        mine.append(col(DocumentVersion.state) == only)
    values = {"state": state, "media_type": document.media_type}
    await session.exec(update(DocumentVersion).where(*mine).values(values))


async def queue_again(session: AsyncSession, document: Document) -> Document:
    """A new revision of the row that the caller holds, whose ingestion the caller starts."""
    await mark_version(session, document, "pending", only="failed")
    return await change(
        session,
        document,
        revision=document.revision + 1,
        state="queued",
        error_code=None,
        error_detail=None,
        ocr_pages=0,
        ocr_pages_done=0,
        passages_done=0,
    )


def _name_taken(name: str) -> Conflict:
    return Conflict(f"a collection named {name!r} exists already", pointer="/name")
