"""Rows of organisations. The caller's transaction must be that of the organisation itself, but for maintenance."""

from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from db.engine import Database
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


async def list_orgs(database: Database) -> list[UUID]:
    """Ids of all organisations, and nothing else of them: for maintenance, which then works tenant by tenant."""
    async with database.pool.acquire() as connection:
        return [UUID(str(row["id"])) for row in await connection.fetch("SELECT id FROM list_orgs()")]
