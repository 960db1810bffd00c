"""Rows of agents and their versions. Callers own the transaction; row-level security picks the tenant."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

import orjson
from sqlalchemy import tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.tables.agents import Agent, AgentVersion
from db.tables.columns import now
from db.tables.knowledge import Collection
from domain.agents.config import AgentConfig
from domain.errors import Conflict, Invalid, NotFound


@dataclass(frozen=True, slots=True)
class CurrentAgent:
    """An agent with the version that new conversations get."""

    agent: Agent
    version: AgentVersion


async def create_agent(
    session: AsyncSession, org_id: UUID, name: str, description: str, config: AgentConfig
) -> CurrentAgent:
    """Raises Conflict (name taken), Invalid (unknown collection)."""
    await _check_collections(session, config)
    agent = Agent(id=uuid4(), org_id=org_id, name=name, description=description)
    statement = insert(Agent).values(agent.model_dump()).on_conflict_do_nothing().returning(col(Agent.id))
    if (await session.exec(statement)).scalar_one_or_none() is None:
        raise _name_taken(name)
    stored = await _lock(session, agent.id)
    return CurrentAgent(stored, await _add_version(session, stored, config, 1))


async def get_agent(session: AsyncSession, agent_id: UUID) -> CurrentAgent:
    """Archived agents are found too. Raises NotFound."""
    return await _current(session, select(Agent).where(Agent.id == agent_id), "no such agent")


async def find_agent(session: AsyncSession, name_or_id: str) -> CurrentAgent:
    """A working agent by its id or its name. Raises NotFound, also when it is archived."""
    statement = select(Agent).where(col(Agent.archived_at).is_(None))
    try:
        statement = statement.where(Agent.id == UUID(name_or_id))
    except ValueError:
        statement = statement.where(Agent.name == name_or_id)
    return await _current(session, statement, f"no such agent: {name_or_id[:100]}")


async def list_agents(
    session: AsyncSession, *, archived: bool = False, after: tuple[datetime, UUID] | None = None, limit: int = 50
) -> list[CurrentAgent]:
    """Newest first; `after` is (created_at, id) of the last one seen."""
    statement = select(Agent, AgentVersion).join(AgentVersion, col(AgentVersion.id) == col(Agent.current_version_id))
    if not archived:
        statement = statement.where(col(Agent.archived_at).is_(None))
    if after is not None:
        statement = statement.where(tuple_(col(Agent.created_at), col(Agent.id)) < after)
    statement = statement.order_by(col(Agent.created_at).desc(), col(Agent.id).desc()).limit(limit)
    return [CurrentAgent(agent, version) for agent, version in (await session.exec(statement)).all()]


async def update_agent(
    session: AsyncSession,
    agent_id: UUID,
    *,
    name: str | None = None,
    description: str | None = None,
    config: AgentConfig | None = None,
) -> CurrentAgent:
    """What is None stays. A config that says something new makes the next version; the same makes none.

    Raises NotFound, Conflict (archived, or name taken), Invalid (unknown collection).
    """
    agent = await _lock(session, agent_id)
    if agent.archived_at is not None:
        raise Conflict("this agent is archived")
    if config is not None:
        await _check_collections(session, config)
    try:
        async with session.begin_nested():
            agent.name = agent.name if name is None else name
            agent.description = agent.description if description is None else description
            agent.updated_at = now()
            session.add(agent)
    except IntegrityError:  # the name is the only thing here that must be unique
        raise _name_taken(str(name)) from None
    current = await get_version_by_id(session, agent.current_version_id)
    if config is not None and content_hash(config) != current.content_hash:
        current = await _add_version(session, agent, config, current.number + 1)
    return CurrentAgent(agent, current)


async def archive_agent(session: AsyncSession, agent_id: UUID) -> None:
    """No new conversation begins with it; running ones go on, and its name is free. Idempotent. Raises NotFound."""
    agent = await _lock(session, agent_id)
    agent.archived_at = agent.archived_at or now()
    session.add(agent)
    await session.flush()


async def list_versions(
    session: AsyncSession, agent_id: UUID, *, before: int | None = None, limit: int = 50
) -> list[AgentVersion]:
    """Newest first, numbers below `before`. Raises NotFound (agent)."""
    await get_agent(session, agent_id)
    statement = select(AgentVersion).where(AgentVersion.agent_id == agent_id)
    if before is not None:
        statement = statement.where(AgentVersion.number < before)
    return list((await session.exec(statement.order_by(col(AgentVersion.number).desc()).limit(limit))).all())


async def get_version(session: AsyncSession, agent_id: UUID, number: int) -> AgentVersion:
    """Raises NotFound."""
    statement = select(AgentVersion).where(AgentVersion.agent_id == agent_id, AgentVersion.number == number)
    version = (await session.exec(statement)).one_or_none()
    if version is None:
        raise NotFound("no such version")
    return version


async def get_version_by_id(session: AsyncSession, version_id: UUID | None) -> AgentVersion:
    """Raises NotFound."""
    version = await session.get(AgentVersion, version_id)
    if version is None:
        raise NotFound("no such version")
    return version


def content_hash(config: AgentConfig) -> str:
    """Equal for configs that say the same."""
    return hashlib.sha256(orjson.dumps(config.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)).hexdigest()


async def _current(session: AsyncSession, statement: object, missing: str) -> CurrentAgent:
    agent: Agent | None = (await session.exec(statement)).one_or_none()  # type: ignore[call-overload]
    if agent is None:
        raise NotFound(missing)
    return CurrentAgent(agent, await get_version_by_id(session, agent.current_version_id))


async def _lock(session: AsyncSession, agent_id: UUID) -> Agent:
    agent = await session.get(Agent, agent_id, with_for_update=True)
    if agent is None:
        raise NotFound("no such agent")
    return agent


async def _add_version(session: AsyncSession, agent: Agent, config: AgentConfig, number: int) -> AgentVersion:
    version = AgentVersion(
        id=uuid4(),
        org_id=agent.org_id,
        agent_id=agent.id,
        number=number,
        config=config.model_dump(mode="json"),
        content_hash=content_hash(config),
    )
    session.add(version)
    await session.flush()
    agent.current_version_id = version.id
    agent.updated_at = now()
    session.add(agent)
    await session.flush()
    return version


async def _check_collections(session: AsyncSession, config: AgentConfig) -> None:
    if not config.collections:
        return
    found = set((await session.exec(select(Collection.id).where(col(Collection.id).in_(config.collections)))).all())
    for place, collection_id in enumerate(config.collections):
        if collection_id not in found:
            raise Invalid(f"no such collection: {collection_id}", pointer=f"/config/collections/{place}")


def _name_taken(name: str) -> Conflict:
    return Conflict(f"an agent named {name!r} exists already", pointer="/name")
