"""Rows of prices that an organisation has set for itself. Not for which price holds: that is `price_book.py`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import delete, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.engine import Connection
from db.tables.spending import ModelPrice
from domain.errors import NotFound

Cursor = tuple[datetime, UUID]


async def all_rates(connection: Connection) -> Sequence[Mapping[str, Any]]:
    """Of the tenant."""
    rows = await connection.fetch(
        "SELECT provider, model, valid_from, input, output, cached_input, cache_write FROM model_prices"
    )
    return [dict(row) for row in rows]


async def list_prices(session: AsyncSession, *, after: Cursor | None = None, limit: int = 50) -> list[ModelPrice]:
    """Newest first, at most `limit`; `after` is the cursor of the last one seen."""
    created_at, row_id = col(ModelPrice.created_at), col(ModelPrice.id)
    statement = select(ModelPrice)
    if after is not None:
        statement = statement.where(tuple_(created_at, row_id) < after)
    return list((await session.exec(statement.order_by(created_at.desc(), row_id.desc()).limit(limit))).all())


async def set_price(session: AsyncSession, org_id: UUID, given: Mapping[str, Any]) -> ModelPrice:
    """A price from a moment on; one for the same model and moment is replaced."""
    statement = insert(ModelPrice).values(id=uuid4(), org_id=org_id, **given)
    same = ("org_id", "provider", "model", "valid_from")
    changes = {name: statement.excluded[name] for name in given if name not in same}
    found = await session.exec(
        statement.on_conflict_do_update(index_elements=same, set_=changes).returning(ModelPrice),
        execution_options={"populate_existing": True},
    )
    price: ModelPrice = found.scalar_one()
    return price


async def delete_price(session: AsyncSession, price_id: UUID) -> None:
    """Raises NotFound."""
    gone = await session.exec(delete(ModelPrice).where(col(ModelPrice.id) == price_id).returning(col(ModelPrice.id)))
    if gone.first() is None:
        raise NotFound("no such price")
