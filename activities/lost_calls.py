"""Settle calls to models that nobody settles any more: their worker died, and with it what it knew."""

from datetime import timedelta

from temporalio import activity

from activities.heartbeat import heartbeats
from contracts.maintenance import LostCalls, MaintenanceInput
from db.engine import Database
from domain.auth.org_store import list_orgs
from domain.models.ledger import Ledger

_TURN_ENDED = timedelta(minutes=1)
"""A reply that was silenced closes its stream and settles within seconds of the turn's end."""

_STILL_RUNNING = timedelta(minutes=15)
"""The step of a call ends after ten minutes (`options.REPLY`), and its settling is tried for seconds more."""


class LostCallsStep:
    def __init__(self, database: Database, ledger: Ledger) -> None:
        self._database = database
        self._ledger = ledger

    @activity.defn(name="settle_lost_calls")
    async def settle_lost_calls(self, input: MaintenanceInput) -> LostCalls:
        """Counts each as all it could have cost, marked as lost and estimated. Idempotent.

        Should its worker come back, the truth replaces the estimate.
        """
        settled = 0
        async with heartbeats():
            for org_id in await list_orgs(self._database):
                settled += await self._ledger.settle_lost(org_id, ended=_TURN_ENDED, running=_STILL_RUNNING)
        return LostCalls(settled=settled)
