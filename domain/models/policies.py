"""The policies in force, as calls read them: from memory, and anew every two seconds."""

import time
from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

import structlog

from db.engine import DATABASE_AWAY, Database
from domain.agents.config import ModelSettings
from domain.models import policy_store
from domain.models.policy import ModelPolicy, policy_of_agent
from domain.models.policy_store import InForce

_log = structlog.stdlib.get_logger(__name__)

_FRESH_SECONDS = 2.0
"""How long a changed policy may go unseen; an agent in use is read once in it, 0.5 ms each."""

_KEPT = 1024
_TIERS_KEPT = 8192
"""Agent versions and conversations in use; beyond these the database is asked again."""


@dataclass(frozen=True, slots=True)
class Applied:
    """The policy of a call and whose it is: `agent policy 3`, `organisation policy 1`, `agent` or `default`."""

    policy: ModelPolicy
    origin: str
    agent_id: UUID


class Policies:
    """The most particular wins: the agent's policy, the model in the agent's config, the organisation's policy,
    what the process has."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: OrderedDict[UUID, tuple[InForce, float]] = OrderedDict()
        self._tiers: OrderedDict[UUID, str | None] = OrderedDict()

    async def of(
        self, org_id: UUID, agent_version_id: UUID, settings: ModelSettings, default: str, *, anew: bool = False
    ) -> Applied:
        """default: the provider when nothing says otherwise. anew: not from memory. Raises NotFound.

        What was read goes for two seconds, and for longer while the database is away.
        """
        kept = self._kept.get(agent_version_id)
        if kept is not None and not anew and time.monotonic() - kept[1] <= _FRESH_SECONDS:
            self._kept.move_to_end(agent_version_id)
            return _apply(kept[0], settings, default)
        try:
            found = await self._read(org_id, agent_version_id)
        except DATABASE_AWAY as error:
            if kept is None or anew:
                raise
            _log.warning("model_policy_unread", because=type(error).__name__)
            found = kept[0]
        return _apply(found, settings, default)

    async def tier(self, org_id: UUID, conversation_id: UUID | None, policy: ModelPolicy) -> str | None:
        """The customer's tier; asked for only where the policy knows tiers, once a conversation."""
        if not policy.tiers or conversation_id is None:
            return None
        if conversation_id not in self._tiers:
            self._tiers[conversation_id] = await policy_store.tier(self._database, org_id, conversation_id)
            if len(self._tiers) > _TIERS_KEPT:
                self._tiers.popitem(last=False)
        return self._tiers[conversation_id]

    async def _read(self, org_id: UUID, agent_version_id: UUID) -> InForce:
        found = await policy_store.in_force(self._database, org_id, agent_version_id)
        self._kept[agent_version_id] = (found, time.monotonic())
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
        return found


def _apply(found: InForce, settings: ModelSettings, default: str) -> Applied:
    if found.of_agent is not None:
        number, policy = found.of_agent
        return Applied(policy, f"agent policy {number}", found.agent_id)
    if settings.provider is None and settings.name is None and found.of_org is not None:
        number, policy = found.of_org
        return Applied(policy, f"organisation policy {number}", found.agent_id)
    chosen = settings.provider is not None or settings.name is not None
    policy = policy_of_agent(settings, settings.provider or default)
    return Applied(policy, "agent" if chosen else "default", found.agent_id)
