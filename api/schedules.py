"""How often things are done again, as Temporal schedules. Not for creating them: see `temporal.py`."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from temporalio.client import (
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
)

from contracts import ids, queues
from contracts.crawl import CrawlInput


def crawl_schedule(input: CrawlInput, minutes: int, options: dict[str, Any]) -> Schedule:
    """Read a source every so many minutes, never twice at once. options: of its runs."""
    options["typed_search_attributes"] = options.pop("search_attributes")
    return Schedule(
        action=ScheduleActionStartWorkflow(
            "CrawlWorkflow", input, id=ids.crawl_workflow_id(input.source_id), task_queue=queues.INGEST, **options
        ),
        spec=ScheduleSpec(
            intervals=[ScheduleIntervalSpec(every=timedelta(minutes=minutes), offset=_spread(input.source_id, minutes))]
        ),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP),
    )


def _spread(source_id: UUID, minutes: int) -> timedelta:
    """Sources of one interval must not all begin at the full hour."""
    return timedelta(seconds=source_id.int % (minutes * 60))
