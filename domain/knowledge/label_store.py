"""Labels on the rows of documents. What the index says of them follows: see `relabel.py`."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, or_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.tables.knowledge import Document
from domain.knowledge import store


async def set_labels(session: AsyncSession, document: Document, labels: Mapping[str, str]) -> Document:
    """In place of all it had, on a row that the caller holds; `labels_stale` if the index is to be told. Idempotent."""
    if document.labels == labels:
        return document
    return await store.change(session, document, labels=dict(labels), labels_stale=True)


async def stale_documents(session: AsyncSession, *, limit: int) -> list[UUID]:
    """Of the whole organisation, those whose labels the index does not say yet."""
    statement = select(Document.id).where(col(Document.labels_stale)).order_by(col(Document.updated_at)).limit(limit)
    return list((await session.exec(statement)).all())


def having(labels: Mapping[str, tuple[str, ...]]) -> list[ColumnElement[bool]]:
    """Conditions that hold together for documents with any of the values of every key."""
    said: Any = Document.labels
    return [or_(*(said.contains({key: value}) for value in values)) for key, values in labels.items()]
