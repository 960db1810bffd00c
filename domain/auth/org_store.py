"""Rows of organisations. The caller's transaction must be that of the organisation itself."""

from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from db.tables.auth import Org
from domain.errors import NotFound


async def create_org(session: AsyncSession, org_id: UUID, name: str) -> Org:
    """Row-level security takes the row only where the transaction's tenant is org_id."""
    row = Org(id=org_id, name=name)
    session.add(row)
    await session.flush()
    return row


async def get_org(session: AsyncSession, org_id: UUID) -> Org:
    """Raises NotFound."""
    row = await session.get(Org, org_id)
    if row is None:
        raise NotFound("no such organisation")
    return row
