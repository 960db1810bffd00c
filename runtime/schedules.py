"""Maintenance on Temporal schedules, kept by the server: whoever starts a worker makes sure that they are there."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import structlog
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError

from contracts.maintenance import MaintenanceInput
from contracts.queues import INGEST

_AGAIN_SECONDS = 10

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Plan:
    """tidies: see MaintenanceInput."""

    name: str
    every: timedelta
    tidies: bool


_PLANS = (
    # A person waits for a stranded document; looking costs one short query an organisation.
    _Plan("maintenance/sweep", timedelta(minutes=1), tidies=False),
    # A search reads what is not tidied at 45 us a passage, so an hour of a busy collection is felt; a day too much.
    _Plan("maintenance/tidy", timedelta(hours=1), tidies=True),
)


async def keep_schedules(client: Client) -> None:
    """`ensure_schedules`, again until it is done: a worker serves its queue meanwhile, whatever Temporal answers."""
    while True:
        try:
            await ensure_schedules(client)
        except RPCError as error:
            _log.warning("the maintenance schedules are not there yet", reason=str(error))
            await asyncio.sleep(_AGAIN_SECONDS)
        else:
            return


async def ensure_schedules(client: Client) -> None:
    """Create the schedules, or bring those that are there up to date. Idempotent; pauses by an operator stay."""
    for plan in _PLANS:
        schedule = _schedule(plan)
        try:
            await client.create_schedule(plan.name, schedule)
        except ScheduleAlreadyRunningError:
            await client.get_schedule_handle(plan.name).update(partial(_renewed, schedule))


def _schedule(plan: _Plan) -> Schedule:
    return Schedule(
        action=ScheduleActionStartWorkflow(
            "MaintenanceWorkflow",
            MaintenanceInput(tidies=plan.tidies),
            id=plan.name,
            task_queue=INGEST,
            static_summary="Housekeeping: sweep, prune and tidy" if plan.tidies else "Housekeeping: sweep",
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=plan.every)]),
        # A run that takes longer than its pause is followed by the next one after that; missed ones are not made up.
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=plan.every),
    )


def _renewed(new: Schedule, old: ScheduleUpdateInput) -> ScheduleUpdate:
    return ScheduleUpdate(Schedule(new.action, new.spec, new.policy, old.description.schedule.state))
