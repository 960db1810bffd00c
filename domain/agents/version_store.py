"""Agent versions as the turn reads them: immutable, so each is read once a process."""

from collections import OrderedDict
from uuid import UUID

from db.engine import Database
from domain.agents.config import AgentConfig
from domain.errors import NotFound

_KEPT = 512
"""A version is some 10 kB in memory; more agents than this at once read Postgres again."""


class AgentVersions:
    """Reads agent versions. A version never changes, so nothing is ever stale."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: OrderedDict[tuple[UUID, UUID], AgentConfig] = OrderedDict()

    async def config(self, org_id: UUID, version_id: UUID) -> AgentConfig:
        """Raises NotFound, also for a version of another organisation."""
        key = (org_id, version_id)
        if (kept := self._kept.get(key)) is not None:
            self._kept.move_to_end(key)
            return kept
        async with self._database.transaction(org_id) as connection:
            stored = await connection.fetchval("SELECT config FROM agent_versions WHERE id = $1", version_id)
        if stored is None:
            raise NotFound("no such agent version")
        config = AgentConfig.model_validate(stored)
        self._kept[key] = config
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return config
