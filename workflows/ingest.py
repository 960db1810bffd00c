"""A document's way into a collection: read it, embed its passages, publish them all at once.

However it goes, the document ends as ready or as failed with a reason; none is ever stuck.
"""

import asyncio
from collections.abc import Iterator

from temporalio import exceptions, workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

from contracts import failures, options, stubs
from contracts.ingest import (
    BATCH_PASSAGES,
    FailIngestInput,
    FinishIngestInput,
    IndexBatchInput,
    IngestInput,
    IngestOutcome,
    IngestState,
    Parsed,
)
from contracts.queues import INGEST

_IN_FLIGHT = 2
"""Batches at once: one is embedded while another is stored, and a large document leaves room for others."""

_NOBODY_WAITS = (failures.NOT_FOUND, failures.SUPERSEDED)
"""The document was deleted, or a newer run took over: nothing is left to write down."""


@workflow.defn(name="IngestWorkflow")
class IngestWorkflow:
    def __init__(self) -> None:
        self._state = IngestState(step="queued")

    @workflow.query
    def state(self) -> IngestState:
        return self._state

    @workflow.run
    async def run(self, input: IngestInput) -> IngestOutcome:
        try:
            return await self._ingest(input)
        except (ActivityError, asyncio.CancelledError) as error:
            if is_cancelled_exception(error):
                await self._fail(input, "cancelled", "the ingestion was cancelled")
                raise
            code, detail = _reason(error)
            if code in _NOBODY_WAITS:
                self._tell("stopped", f"**Stopped**: {detail}.")
                return IngestOutcome(document_id=input.document_id, failed=code)
            return await self._fail(input, code, detail)

    async def _ingest(self, input: IngestInput) -> IngestOutcome:
        self._tell("parsing", "**Reading** the file in a process of its own.")
        parsed = await workflow.execute_activity(
            stubs.parse_document, input, task_queue=INGEST, summary="Read the file", **options.PARSE
        )
        await self._embed(input, parsed)
        self._tell("publishing", f"**Publishing** {parsed.passages} passages in one commit.")
        outcome: IngestOutcome = await workflow.execute_activity(
            stubs.finish_ingest,
            FinishIngestInput(ingest=input, passages=parsed.passages, pages=parsed.pages),
            task_queue=INGEST,
            summary=f"Publish {parsed.passages} passages",
            **options.INDEX,
        )
        self._tell("ready", f"**Ready**: {parsed.passages} passages of {parsed.pages or 'no'} pages can be found.")
        return outcome

    async def _embed(self, input: IngestInput, parsed: Parsed) -> None:
        self._show_progress(0, parsed.passages)
        starts = iter(range(0, parsed.passages, BATCH_PASSAGES))
        lanes = [asyncio.create_task(self._lane(input, parsed, starts)) for _ in range(_IN_FLIGHT)]
        try:
            await asyncio.gather(*lanes)
        finally:
            for lane in lanes:
                lane.cancel()

    async def _lane(self, input: IngestInput, parsed: Parsed, starts: Iterator[int]) -> None:
        for start in starts:
            stop = min(start + BATCH_PASSAGES, parsed.passages)
            done = await workflow.execute_activity(
                stubs.index_batch,
                IndexBatchInput(ingest=input, start=start, stop=stop),
                task_queue=INGEST,
                summary=f"Embed passages {start + 1}-{stop} of {parsed.passages}",
                **options.INDEX,
            )
            self._show_progress(self._state.passages_done + done.passages, parsed.passages)

    async def _fail(self, input: IngestInput, code: str, detail: str) -> IngestOutcome:
        self._tell("failed", f"**Failed** (`{code}`): {detail}")
        outcome: IngestOutcome = await workflow.execute_activity(
            stubs.fail_ingest,
            FailIngestInput(ingest=input, code=code, detail=detail),
            task_queue=INGEST,
            summary=f"Write down why it failed: {code}",
            **options.RECORD,
        )
        return outcome

    def _show_progress(self, done: int, total: int) -> None:
        self._state = IngestState(step="indexing", passages_done=done, passages_total=total)
        workflow.set_current_details(f"**Embedding**: {done} of {total} passages.")

    def _tell(self, step: str, details: str) -> None:
        self._state = self._state.model_copy(update={"step": step})
        workflow.set_current_details(details)


def _reason(error: BaseException) -> tuple[str, str]:
    cause = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, ApplicationError):
        return (cause.type if cause.type in failures.NON_RETRYABLE else "internal") or "internal", cause.message
    if isinstance(cause, exceptions.TimeoutError):
        return "timeout", "a step did not come to an end in its time"
    return "internal", str(cause or error)
