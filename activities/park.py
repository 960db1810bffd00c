"""Park: a turn that nobody can answer now waits, and its customer and the operators know."""

import random

from temporalio import activity

from activities.errors import domain_errors
from contracts import failures
from contracts.outage import Parked, ParkInput, UnparkInput
from db.engine import Database
from domain.agents.version_store import AgentVersions
from domain.conversations import parking_store
from domain.conversations.outage import notice, pause_seconds
from runtime.metrics import Metrics


class Park:
    def __init__(self, database: Database, versions: AgentVersions, metrics: Metrics) -> None:
        self._database = database
        self._versions = versions
        self._metrics = metrics

    @activity.defn(name="park")
    @domain_errors()
    async def park(self, input: ParkInput) -> Parked:
        """Decides by the agent's settings, and says so once a pause. Raises Superseded when the turn has ended."""
        settings = (await self._versions.config(input.ref.org_id, input.ref.agent_version_id)).outage
        spent = input.code == failures.BUDGET_EXCEEDED
        if settings.give_up_seconds == 0 or (spent and settings.budget == "explain"):
            return Parked(action="explain")
        seconds = pause_seconds(
            settings,
            pauses=input.pauses,
            waited=input.waited_seconds,
            retry_after=input.retry_after_seconds,
            luck=random.random(),  # noqa: S311 - spreads load, guards nothing
        )
        if seconds is None:
            return Parked(action="hand_over")
        first = input.pauses == 0
        told = {"code": input.code, "notice": notice(settings, input.language) if first else None}
        spoken = await parking_store.park(
            self._database,
            input.ref,
            number=input.number,
            step=input.step,
            pause=input.pauses + 1,
            seconds=seconds,
            told=told,
        )
        if first:
            self._metrics.parked_turns.labels(input.code).inc()
        firm = spent or input.retry_after_seconds is not None
        return Parked(action="wait", seconds=seconds, firm=firm, spoken=spoken)

    @activity.defn(name="unpark")
    @domain_errors()
    async def unpark(self, input: UnparkInput) -> None:
        """The pause is over. Idempotent."""
        await parking_store.unpark(self._database, input.ref, pause=input.pause, woken=input.woken)
