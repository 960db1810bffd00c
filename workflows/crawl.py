"""A source's way into a collection: find what is there, visit it politely, hand each document to its ingestion.

What is still to be visited stands in Postgres, so a crash goes on where it was and nothing is fetched twice.
"""

import asyncio

from temporalio import exceptions, workflow
from temporalio.common import Priority, SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import ActivityError, ApplicationError, WorkflowAlreadyStartedError, is_cancelled_exception
from temporalio.workflow import ParentClosePolicy

from contracts import failures, ids, options, search, stubs
from contracts.crawl import (
    BeginCrawlInput,
    CrawlBatch,
    CrawlBatchInput,
    CrawlInput,
    CrawlOutcome,
    CrawlState,
    FinishCrawlInput,
    FoundDocument,
)
from contracts.queues import INGEST
from workflows.ingest import IngestWorkflow

_NOBODY_WAITS = (failures.NOT_FOUND, failures.SUPERSEDED)
"""The source was deleted, or a newer run took over: nothing is left to write down."""


@workflow.defn(name="CrawlWorkflow")
class CrawlWorkflow:
    def __init__(self) -> None:
        self._state = CrawlState(step="queued")
        self._run = 0

    @workflow.query
    def state(self) -> CrawlState:
        return self._state

    @workflow.run
    async def run(self, input: CrawlInput) -> CrawlOutcome:
        try:
            return await self._crawl(input)
        except (ActivityError, asyncio.CancelledError) as error:
            if is_cancelled_exception(error):
                await self._finish(input, "cancelled", "the crawl was cancelled")
                raise
            code, detail = _reason(error)
            if code in _NOBODY_WAITS:
                self._tell("stopped", f"**Stopped**: {detail}.")
                return CrawlOutcome(source_id=input.source_id, failed=code)
            return await self._finish(input, code, detail)

    async def _crawl(self, input: CrawlInput) -> CrawlOutcome:  # noqa: RET503  continue_as_new never returns
        self._run, position = input.run, input.position
        if not self._run:
            self._tell("beginning", "**Looking** for where to begin.")
            begun = await workflow.execute_activity(
                stubs.begin_crawl,
                BeginCrawlInput(org_id=input.org_id, source_id=input.source_id, run_key=_run_key()),
                task_queue=INGEST,
                summary="Find where to begin",
                **options.CRAWL,
            )
            self._run, position = begun.run, begun.position
        for _ in range(input.batches):
            batch = await self._batch(input, position)
            position = batch.position
            if not batch.waiting and not batch.documents:
                return await self._finish(input, None, None)
            if batch.wait_seconds:
                await workflow.sleep(batch.wait_seconds, summary="A pause that the site asks for")
        workflow.continue_as_new(input.model_copy(update={"run": self._run, "position": position}))

    async def _batch(self, input: CrawlInput, position: int) -> CrawlBatch:
        batch: CrawlBatch = await workflow.execute_activity(
            stubs.crawl_batch,
            CrawlBatchInput(org_id=input.org_id, source_id=input.source_id, run=self._run, position=position),
            task_queue=INGEST,
            summary=f"Visit the next items; {self._state.done} done",
            **options.CRAWL,
        )
        for document in batch.documents:
            await _ingest(document)
        self._state = CrawlState(
            step="visiting",
            done=batch.done,
            waiting=batch.waiting,
            failed=batch.failed,
            documents=self._state.documents + len(batch.documents),
        )
        workflow.set_current_details(
            f"**Visiting**: {batch.done} done, {batch.waiting} waiting, {batch.failed} failed, "
            f"{self._state.documents} documents handed on."
        )
        return batch

    async def _finish(self, input: CrawlInput, code: str | None, detail: str | None) -> CrawlOutcome:
        if code is not None:
            self._tell("failed", f"**Failed** (`{code}`): {detail}")
        outcome: CrawlOutcome = await workflow.execute_activity(
            stubs.finish_crawl,
            FinishCrawlInput(
                org_id=input.org_id, source_id=input.source_id, run_key=_run_key(), code=code, detail=detail
            ),
            task_queue=INGEST,
            summary="Write down how it ended",
            **options.RECORD,
        )
        if code is None:
            counted = ", ".join(f"{number} {state}" for state, number in sorted(outcome.counts.items()))
            self._tell("ready", f"**Ready**: {counted or 'nothing was there'}.")
        return outcome

    def _tell(self, step: str, details: str) -> None:
        self._state = self._state.model_copy(update={"step": step})
        workflow.set_current_details(details)


async def _ingest(document: FoundDocument) -> None:
    ingest = document.ingest
    # A later revision takes the place of a run of an earlier one; the same one is started once.
    replace = WorkflowIDReusePolicy.TERMINATE_IF_RUNNING
    try:
        await workflow.start_child_workflow(
            IngestWorkflow.run,
            ingest,
            id=ids.ingest_workflow_id(ingest.document_id),
            task_queue=INGEST,
            task_timeout=options.TASK_TIMEOUT,
            parent_close_policy=ParentClosePolicy.ABANDON,
            id_reuse_policy=replace if ingest.revision > 1 else WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            search_attributes=TypedSearchAttributes(
                [SearchAttributePair(search.ORG_ID, str(ingest.org_id)), SearchAttributePair(search.STATE, "running")]
            ),
            static_summary=f"Ingest {document.filename[:100]}, revision {ingest.revision}",
            priority=Priority(fairness_key=ingest.org_id.hex),
        )
    except WorkflowAlreadyStartedError:
        return


def _run_key() -> str:
    """The same for every leg and attempt of one crawl."""
    return workflow.info().first_execution_run_id


def _reason(error: BaseException) -> tuple[str, str]:
    cause = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, ApplicationError):
        return cause.type or failures.INTERNAL, cause.message
    if isinstance(cause, exceptions.TimeoutError):
        return "timeout", "a step did not come to an end in its time"
    return failures.INTERNAL, str(cause or error)
