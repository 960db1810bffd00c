"""Rows of model policies. A change is a new row: what was in force when can always be read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.engine import Database
from db.tables.agents import Agent
from db.tables.models import ModelPolicyRow
from domain.errors import NotFound
from domain.models.policy import ModelPolicy


@dataclass(frozen=True, slots=True)
class InForce:
    """What goes for an agent version: its agent's policy and its organisation's, each with its number."""

    agent_id: UUID
    of_agent: tuple[int, ModelPolicy] | None
    of_org: tuple[int, ModelPolicy] | None


async def in_force(database: Database, org_id: UUID, agent_version_id: UUID) -> InForce:
    """One round trip more than a transaction. Raises NotFound for a version that is not the organisation's."""
    async with database.transaction(org_id) as connection:
        row = await connection.fetchrow(
            """SELECT v.agent_id, a.number AS a_number, a.policy AS a_policy, o.number AS o_number, o.policy AS o_policy
               FROM agent_versions v
               LEFT JOIN LATERAL (SELECT number, policy FROM model_policies
                   WHERE org_id = v.org_id AND agent_id = v.agent_id ORDER BY number DESC LIMIT 1) a ON true
               LEFT JOIN LATERAL (SELECT number, policy FROM model_policies
                   WHERE org_id = v.org_id AND agent_id IS NULL ORDER BY number DESC LIMIT 1) o ON true
               WHERE v.id = $1""",
            agent_version_id,
        )
    if row is None:
        raise NotFound("no such agent version")
    return InForce(row["agent_id"], _read(row["a_number"], row["a_policy"]), _read(row["o_number"], row["o_policy"]))


def _read(number: int | None, policy: Any) -> tuple[int, ModelPolicy] | None:
    """A policy without candidates is how one is taken back."""
    if number is None or not policy.get("tasks"):
        return None
    return number, ModelPolicy.model_validate(policy)


async def tier(database: Database, org_id: UUID, conversation_id: UUID) -> str | None:
    """The customer's tier, as the conversation's label `tier` says."""
    async with database.transaction(org_id) as connection:
        found = await connection.fetchval("SELECT labels->>'tier' FROM conversations WHERE id = $1", conversation_id)
    return None if found is None else str(found)


async def add(
    session: AsyncSession, org_id: UUID, agent_id: UUID | None, policy: ModelPolicy, *, note: str = ""
) -> ModelPolicyRow:
    """The next version of an agent's policy, or of the organisation's. Raises NotFound for an unknown agent."""
    if agent_id is not None:
        agent = (await session.exec(select(Agent).where(Agent.id == agent_id).with_for_update())).one_or_none()
        if agent is None:
            raise NotFound("no such agent", pointer="/agent_id")
    else:
        # Two first versions at once would take the same number; a lock of the transaction makes them take turns.
        await session.exec(select(func.pg_advisory_xact_lock(func.hashtext(f"model_policies {org_id}"))))
    last = (await session.exec(select(func.max(ModelPolicyRow.number)).where(_of(agent_id)))).one()
    row = ModelPolicyRow(
        id=uuid4(),
        org_id=org_id,
        agent_id=agent_id,
        number=(last or 0) + 1,
        policy=policy.model_dump(mode="json", exclude_none=True),
        note=note,
    )
    session.add(row)
    await session.flush()
    return row


async def versions(
    session: AsyncSession, agent_id: UUID | None, *, before: int | None, limit: int
) -> Sequence[ModelPolicyRow]:
    """Newest first; the first is in force."""
    query = select(ModelPolicyRow).where(_of(agent_id)).order_by(col(ModelPolicyRow.number).desc()).limit(limit)
    if before is not None:
        query = query.where(ModelPolicyRow.number < before)
    return (await session.exec(query)).all()


def _of(agent_id: UUID | None) -> Any:
    column = col(ModelPolicyRow.agent_id)
    return column.is_(None) if agent_id is None else column == agent_id
