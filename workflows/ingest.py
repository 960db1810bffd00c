"""A document's way into a collection: read it, recognise its scans, embed its passages, publish them all at once.

However it goes, the document ends as ready or as failed with a reason; none is ever stuck.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from temporalio import exceptions, workflow
from temporalio.common import Priority
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

from contracts import failures, options, stubs
from contracts.ingest import (
    BATCH_PASSAGES,
    OCR_PAGES,
    FailIngestInput,
    FinishIngestInput,
    IndexBatchInput,
    IngestInput,
    IngestOutcome,
    IngestState,
    Parsed,
    RecogniseInput,
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
        if parsed.scans:
            parsed = await self._recognise(input, parsed)
        await self._embed(input, parsed)
        self._tell("publishing", f"**Publishing** {parsed.passages} passages in one commit.")
        outcome: IngestOutcome = await workflow.execute_activity(
            stubs.finish_ingest,
            FinishIngestInput(ingest=input, passages=parsed.passages, pages=parsed.pages),
            task_queue=INGEST,
            summary=f"Publish {parsed.passages} passages",
            priority=_place(parsed.passages),
            **options.INDEX,
        )
        self._tell("ready", f"**Ready**: {parsed.passages} passages of {parsed.pages or 'no'} pages can be found.")
        return outcome

    async def _recognise(self, input: IngestInput, parsed: Parsed) -> Parsed:
        scans = parsed.scans
        self._show_recognised(0, len(scans))

        async def recognise(start: int) -> None:
            pages = scans[start : start + OCR_PAGES]
            await workflow.execute_activity(
                stubs.recognise_pages,
                RecogniseInput(ingest=input, pages=pages),
                task_queue=INGEST,
                summary=f"Recognise pages {pages[0]}-{pages[-1]}",
                # A page of a scan is as much work as twenty passages.
                priority=_place(20 * len(scans)),
                **options.OCR,
            )
            self._show_recognised(self._state.scans_done + len(pages), len(scans))

        await _in_lanes(range(0, len(scans), OCR_PAGES), recognise)
        self._tell("chunking", "**Cutting** the text into passages.")
        chunked: Parsed = await workflow.execute_activity(
            stubs.chunk_document, input, task_queue=INGEST, summary="Cut the text into passages", **options.PARSE
        )
        return chunked

    async def _embed(self, input: IngestInput, parsed: Parsed) -> None:
        self._show_progress(0, parsed.passages)

        async def embed(start: int) -> None:
            stop = min(start + BATCH_PASSAGES, parsed.passages)
            done = await workflow.execute_activity(
                stubs.index_batch,
                IndexBatchInput(ingest=input, start=start, stop=stop),
                task_queue=INGEST,
                summary=f"Embed passages {start + 1}-{stop} of {parsed.passages}",
                priority=_place(parsed.passages),
                **options.INDEX,
            )
            self._show_progress(self._state.passages_done + done.passages, parsed.passages)

        await _in_lanes(range(0, parsed.passages, BATCH_PASSAGES), embed)

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

    def _show_recognised(self, done: int, total: int) -> None:
        self._state = IngestState(step="ocr", scans_done=done, scans_total=total)
        workflow.set_current_details(f"**Recognising** text: {done} of {total} pages.")

    def _show_progress(self, done: int, total: int) -> None:
        now = {"step": "indexing", "passages_done": done, "passages_total": total}
        self._state = self._state.model_copy(update=now)
        workflow.set_current_details(f"**Embedding**: {done} of {total} passages.")

    def _tell(self, step: str, details: str) -> None:
        self._state = self._state.model_copy(update={"step": step})
        workflow.set_current_details(details)


async def _in_lanes(starts: Sequence[int], step: Callable[[int], Awaitable[None]]) -> None:
    """Every step once, _IN_FLIGHT at a time; the first one that fails stops the others."""
    waiting = iter(starts)

    async def lane() -> None:
        for start in waiting:
            await step(start)

    lanes = [asyncio.create_task(lane()) for _ in range(_IN_FLIGHT)]
    try:
        await asyncio.gather(*lanes)
    finally:
        for each in lanes:
            each.cancel()


def _place(passages: int) -> Priority:
    """Where a step of a document of that size stands in the queue; the rest is the workflow's own."""
    return options.BEHIND if passages > options.LARGE_PASSAGES else Priority.default


def _reason(error: BaseException) -> tuple[str, str]:
    cause = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, ApplicationError):
        return (cause.type if cause.type in failures.NON_RETRYABLE else "internal") or "internal", cause.message
    if isinstance(cause, exceptions.TimeoutError):
        return "timeout", "a step did not come to an end in its time"
    return "internal", str(cause or error)
