"""Agents and their immutable versions."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from api.dependencies import Reading, needs
from api.mutation import MutationRoute, Work
from api.pagination import Cursor, Limit, Page, cursor_of, number_after, number_cursor, page_after, page_of
from api.responses import errors
from api.texts import RequestModel
from db.tables.agents import AgentVersion
from domain.agents import store
from domain.agents.config import AgentConfig, Name
from domain.agents.store import CurrentAgent
from domain.auth.principal import Principal
from domain.errors import Conflict

router = APIRouter(prefix="/v1/agents", tags=["agents"])
changes = APIRouter(prefix="/v1/agents", tags=["agents"], route_class=MutationRoute)

Reader = Annotated[Principal, needs("agents:read")]
Writer = Annotated[Principal, needs("agents:write")]
Description = Annotated[str, Field(max_length=2000)]


class AgentOut(BaseModel):
    """config is that of the current version, which new conversations begin with."""

    id: UUID
    name: str
    description: str
    version: int
    version_id: UUID
    config: AgentConfig
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None


class AgentVersionOut(BaseModel):
    id: UUID
    agent_id: UUID
    number: int
    config: AgentConfig
    content_hash: str
    created_at: datetime


class NewAgent(RequestModel):
    name: Annotated[Name, Field(examples=["support"])]
    description: Description = ""
    config: AgentConfig = AgentConfig()


class AgentChange(RequestModel):
    """What is left out stays. config replaces the whole config; one that says something new makes a version."""

    name: Name | None = None
    description: Description | None = None
    config: AgentConfig | None = None


@changes.post("", status_code=201, responses=errors(400, 409, 413))
async def create_agent(principal: Writer, work: Work, new: NewAgent, response: Response) -> AgentOut:
    """Create an agent with its first version."""
    made = await store.create_agent(work.session, principal.org_id, new.name, new.description, new.config)
    response.headers["Location"] = f"/v1/agents/{made.agent.id}"
    return _show(made)


@router.get("", responses=errors())
async def list_agents(
    _principal: Reader,
    session: Reading,
    cursor: Cursor = None,
    limit: Limit = 50,
    archived: Annotated[bool, Query(description="Archived ones too.")] = False,
) -> Page[AgentOut]:
    """Newest first."""
    rows = await store.list_agents(session, archived=archived, after=page_after(cursor), limit=limit + 1)
    return page_of(rows, limit, _show, lambda row: cursor_of(row.agent.created_at, row.agent.id))


@router.get("/{agent_id}", responses=errors(404))
async def get_agent(_principal: Reader, session: Reading, agent_id: UUID) -> AgentOut:
    """An agent with its current version; archived ones too."""
    return _show(await store.get_agent(session, agent_id))


@changes.patch("/{agent_id}", responses=errors(400, 404, 409, 413))
async def update_agent(_principal: Writer, work: Work, agent_id: UUID, change: AgentChange) -> AgentOut:
    """Change an agent. Running conversations keep the version they began with."""
    return _show(
        await store.update_agent(
            work.session, agent_id, name=change.name, description=change.description, config=change.config
        )
    )


@changes.delete("/{agent_id}", status_code=204, responses=errors(404))
async def archive_agent(_principal: Writer, work: Work, agent_id: UUID) -> None:
    """Archive an agent: no new conversation begins with it, running ones go on, its name is free."""
    await store.archive_agent(work.session, agent_id)


@router.get("/{agent_id}/versions", responses=errors(404))
async def list_agent_versions(
    _principal: Reader, session: Reading, agent_id: UUID, cursor: Cursor = None, limit: Limit = 50
) -> Page[AgentVersionOut]:
    """Newest first."""
    rows = await store.list_versions(session, agent_id, before=number_after(cursor), limit=limit + 1)
    return page_of(rows, limit, _show_version, lambda row: number_cursor(row.number))


@router.get("/{agent_id}/versions/{number}", responses=errors(404))
async def get_agent_version(
    _principal: Reader, session: Reading, agent_id: UUID, number: Annotated[int, Path(ge=1, lt=2**31)]
) -> AgentVersionOut:
    """A version as it was made."""
    return _show_version(await store.get_version(session, agent_id, number))


def working(current: CurrentAgent) -> CurrentAgent:
    """Raises Conflict for an archived agent."""
    if current.agent.archived_at is not None:
        raise Conflict("this agent is archived", pointer="/agent_id")
    return current


def _show(current: CurrentAgent) -> AgentOut:
    agent, version = current.agent, current.version
    return AgentOut(
        id=agent.id,
        name=agent.name,
        description=agent.description,
        version=version.number,
        version_id=version.id,
        config=AgentConfig.model_validate(version.config),
        created_at=agent.created_at,
        updated_at=agent.updated_at,
        archived_at=agent.archived_at,
    )


def _show_version(version: AgentVersion) -> AgentVersionOut:
    return AgentVersionOut.model_validate(version, from_attributes=True)
