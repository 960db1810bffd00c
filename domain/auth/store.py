"""Rows of API keys. Callers own the transaction; row-level security picks the tenant."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import tuple_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.engine import Connection
from db.tables.auth import ApiKey
from db.tables.columns import now
from domain.auth.keys import PresentedKey, new_key, read_key
from domain.auth.permissions import Permission
from domain.auth.principal import Principal
from domain.errors import NotFound, Unauthenticated


async def create_key(
    session: AsyncSession, org_id: UUID, name: str, permissions: Sequence[Permission]
) -> tuple[ApiKey, str]:
    """The row and the key's text, which can never be shown again."""
    text = new_key(org_id)
    presented = read_key(text)
    row = ApiKey(
        id=uuid4(),
        org_id=org_id,
        name=name,
        prefix=presented.prefix,
        secret_hash=presented.secret_hash,
        permissions=sorted(set(permissions)),
    )
    session.add(row)
    await session.flush()
    return row, text


async def list_keys(
    session: AsyncSession, *, after: tuple[datetime, UUID] | None = None, limit: int = 50
) -> list[ApiKey]:
    """Newest first, revoked ones included; `after` is (created_at, id) of the last one seen."""
    order = (col(ApiKey.created_at).desc(), col(ApiKey.id).desc())
    statement = select(ApiKey).order_by(*order).limit(limit)
    if after is not None:
        statement = statement.where(tuple_(col(ApiKey.created_at), col(ApiKey.id)) < after)
    return list((await session.exec(statement)).all())


async def get_key(session: AsyncSession, key_id: UUID) -> ApiKey:
    """Raises NotFound."""
    row = await session.get(ApiKey, key_id)
    if row is None:
        raise NotFound("no such API key")
    return row


async def revoke_key(session: AsyncSession, key_id: UUID) -> ApiKey:
    """Raises NotFound. Idempotent: the first revocation's time stays."""
    row = await get_key(session, key_id)
    row.revoked_at = row.revoked_at or now()
    session.add(row)
    await session.flush()
    return row


async def find_principal(connection: Connection, presented: PresentedKey) -> Principal:
    """Whom a presented key stands for. Raises Unauthenticated for an unknown or revoked one.

    Notes the use, at most once a minute: a write for each request would cost more than the lookup.
    """
    row = await connection.fetchrow(
        """WITH used AS (
               UPDATE api_keys SET last_used_at = now()
               WHERE secret_hash = $1 AND revoked_at IS NULL
                 AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
           )
           SELECT id, org_id, permissions FROM api_keys WHERE secret_hash = $1 AND revoked_at IS NULL""",
        presented.secret_hash,
    )
    if row is None:
        raise Unauthenticated("the API key is not valid")
    return Principal(org_id=row["org_id"], key_id=row["id"], permissions=frozenset(row["permissions"]))
