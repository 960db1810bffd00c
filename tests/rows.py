"""Rows that tests start from: an agent and an open conversation of an organisation."""

from typing import Any
from uuid import UUID, uuid4

from contracts.turn import TurnRef
from db.engine import Database
from domain.agents.config import AgentConfig


async def make_agent(database: Database, org: UUID, config: AgentConfig | None = None) -> tuple[UUID, UUID]:
    """(agent id, version id)"""
    agent, version = uuid4(), uuid4()
    stored: dict[str, Any] = (config or AgentConfig()).model_dump(mode="json")
    async with database.transaction(org) as connection:
        await connection.execute(
            "INSERT INTO agents (id, org_id, name, current_version_id) VALUES ($1, $2, $3, $4)",
            agent,
            org,
            f"agent-{agent}",
            version,
        )
        await connection.execute(
            """INSERT INTO agent_versions (id, org_id, agent_id, number, config, content_hash)
               VALUES ($1, $2, $3, 1, $4, 'x')""",
            version,
            org,
            agent,
            stored,
        )
    return agent, version


async def make_conversation(database: Database, org: UUID, config: AgentConfig | None = None) -> TurnRef:
    """A conversation, and the reference of a turn that has not begun."""
    agent, version = await make_agent(database, org, config)
    conversation = uuid4()
    async with database.transaction(org) as connection:
        await connection.execute(
            "INSERT INTO conversations (id, org_id, agent_id, agent_version_id) VALUES ($1, $2, $3, $4)",
            conversation,
            org,
            agent,
            version,
        )
        await connection.execute(
            "INSERT INTO event_streams (conversation_id, org_id) VALUES ($1, $2)", conversation, org
        )
    return TurnRef(org_id=org, conversation_id=conversation, turn_id=uuid4(), agent_version_id=version)
