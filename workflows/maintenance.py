"""Housekeeping on a schedule: stranded turns and ingestions go on, old rows are forgotten, indexes are tidied.

Each part is a step of its own, so that one that fails keeps nothing from the others.
"""

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


@workflow.defn(name="MaintenanceWorkflow")
class MaintenanceWorkflow:
    @workflow.run
    async def run(self, input: MaintenanceInput) -> MaintenanceReport:
        resumed, restarted = await self._resume(input), await self._restart(input)
        lost = (await self._settle(input)).settled
        if not input.tidies:
            return MaintenanceReport(restarted=restarted, resumed=resumed, lost_calls=lost)
        pruned, tidied = await self._prune(input), await self._tidy(input)
        return MaintenanceReport(
            restarted=restarted, resumed=resumed, lost_calls=lost, pruned=pruned, tidied=tidied.collections
        )

    async def _resume(self, input: MaintenanceInput) -> Resumed:
        try:
            return await workflow.execute_activity(
                stubs.resume_turns, input, task_queue=INGEST, summary="Look for stranded turns", **options.UPKEEP
            )
        except ActivityError:
            workflow.logger.exception("stranded turns were not looked for; the next run tries again")
            return Resumed()

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

    async def _settle(self, input: MaintenanceInput) -> LostCalls:
        try:
            return await workflow.execute_activity(
                stubs.settle_lost_calls, input, task_queue=INGEST, summary="Settle lost calls", **options.UPKEEP
            )
        except ActivityError:
            workflow.logger.exception("lost calls were not settled; the next run tries again")
            return LostCalls()

    async def _prune(self, input: MaintenanceInput) -> Pruned:
        try:
            return await workflow.execute_activity(
                stubs.prune_rows, input, task_queue=INGEST, summary="Forget old rows", **options.UPKEEP
            )
        except ActivityError:
            workflow.logger.exception("rows were not pruned; the next run tries again")
            return Pruned()

    async def _tidy(self, input: MaintenanceInput) -> Tidied:
        try:
            return await workflow.execute_activity(
                stubs.tidy_collections, input, task_queue=INGEST, summary="Tidy the indexes", **options.UPKEEP
            )
        except ActivityError:
            workflow.logger.exception("indexes were not tidied; the next run tries again")
            return Tidied()
