"""Housekeeping on a schedule: stranded turns and ingestions go on, old rows are forgotten, indexes are tidied.

Each part is a step of its own, so that one that fails keeps nothing from the others.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from temporalio import workflow
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.exceptions import ActivityError, WorkflowAlreadyStartedError
from temporalio.workflow import ParentClosePolicy

from contracts import ids, options, search, stubs
from contracts.maintenance import (
    LostCalls,
    MaintenanceInput,
    MaintenanceReport,
    Pruned,
    Resumed,
    StrandedDocument,
    Tidied,
)
from contracts.queues import INGEST

Told = TypeVar("Told")


@workflow.defn(name="MaintenanceWorkflow")
class MaintenanceWorkflow:
    @workflow.run
    async def run(self, input: MaintenanceInput) -> MaintenanceReport:
        resumed = await _try(stubs.resume_turns, input, "Look for stranded turns", Resumed())
        restarted = await self._restart(input)
        lost = (await _try(stubs.settle_lost_calls, input, "Settle lost calls", LostCalls())).settled
        if not input.tidies:
            return MaintenanceReport(restarted=restarted, resumed=resumed, lost_calls=lost)
        pruned = await _try(stubs.prune_rows, input, "Forget old rows", Pruned())
        tidied = await _try(stubs.tidy_collections, input, "Tidy the indexes", Tidied())
        return MaintenanceReport(
            restarted=restarted, resumed=resumed, lost_calls=lost, pruned=pruned, tidied=tidied.collections
        )

    async def _restart(self, input: MaintenanceInput) -> int:
        stranded = await workflow.execute_activity(
            stubs.stranded_documents,
            input,
            task_queue=INGEST,
            summary="Look for stranded ingestions",
            **options.UPKEEP,
        )
        return sum([await self._start(document) for document in stranded.documents])

    async def _start(self, document: StrandedDocument) -> bool:
        """Whether it was this run that started it."""
        ingest = document.ingest
        attributes = TypedSearchAttributes(
            [SearchAttributePair(search.ORG_ID, str(ingest.org_id)), SearchAttributePair(search.STATE, "running")]
        )
        try:
            await workflow.start_child_workflow(
                "IngestWorkflow",
                ingest,
                id=ids.ingest_workflow_id(ingest.document_id),
                task_queue=INGEST,
                parent_close_policy=ParentClosePolicy.ABANDON,
                task_timeout=options.TASK_TIMEOUT,
                search_attributes=attributes,
                static_summary=f"Ingest {document.filename[:100]}, revision {ingest.revision}",
                priority=options.ingest_priority(ingest.org_id, document.size_bytes),
            )
        except WorkflowAlreadyStartedError:  # somebody started it since we looked
            return False
        return True


async def _try(
    step: Callable[[MaintenanceInput], Awaitable[Told]], input: MaintenanceInput, summary: str, nothing: Told
) -> Told:
    """What the step tells; `nothing` when it failed five times: the next run tries again."""
    try:
        told: Told = await workflow.execute_activity(step, input, task_queue=INGEST, summary=summary, **options.UPKEEP)
    except ActivityError:
        workflow.logger.exception("%s: failed; the next run tries again", summary)
        return nothing
    return told
