"""The policies in force, as calls read them: from memory, and anew beside the calls."""

import asyncio
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
"""How long a changed policy may go unseen by a worker in use."""

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
        self._reading: dict[UUID, asyncio.Task[InForce]] = {}

    async def of(
        self, org_id: UUID, agent_version_id: UUID, settings: ModelSettings, default: str, *, anew: bool = False
    ) -> Applied:
        """default: the provider when nothing says otherwise. anew: not from memory. Raises NotFound.

        Waits for the database only the first time; afterwards what is older than two seconds is read again
        while the call goes on.
        """
        kept = self._kept.get(agent_version_id)
        if kept is None or anew:
            return _apply(await self._read(org_id, agent_version_id), settings, default)
        self._kept.move_to_end(agent_version_id)
        if time.monotonic() - kept[1] > _FRESH_SECONDS and agent_version_id not in self._reading:
            task = asyncio.create_task(self._read(org_id, agent_version_id), name="model-policy")
            self._reading[agent_version_id] = task
            task.add_done_callback(lambda done: self._done(agent_version_id, done))
        return _apply(kept[0], settings, default)

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

    def _done(self, agent_version_id: UUID, task: "asyncio.Task[InForce]") -> None:
        self._reading.pop(agent_version_id, None)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, DATABASE_AWAY):
            raise error
        if error is not None:
            _log.warning("model_policy_unread", because=type(error).__name__)


def _apply(found: InForce, settings: ModelSettings, default: str, *, anew: bool = False) -> Applied:
    if found.of_agent is not None:
        number, policy = found.of_agent
        return Applied(policy, f"agent policy {number}", found.agent_id)
    if settings.provider is None and settings.name is None and found.of_org is not None:
        number, policy = found.of_org
        return Applied(policy, f"organisation policy {number}", found.agent_id)
    chosen = settings.provider is not None or settings.name is not None
    policy = policy_of_agent(settings, settings.provider or default)
    return Applied(policy, "agent" if chosen else "default", found.agent_id)
