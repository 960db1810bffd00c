"""One turn as a story: prepare (route, retrieve), reply and act in turns, persist (guarded).

Not for deciding when a turn begins: a conversation does that, or a caller without one.
"""

import asyncio
from collections.abc import Callable

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from contracts import failures, options, stubs
from contracts.conversation import ConversationState, ParkedState, RetryNow
from contracts.turn import (
    ActInput,
    FailInput,
    IncomingMessage,
    InterruptInput,
    OneShotInput,
    Persisted,
    PersistInput,
    PrepareInput,
    Reply,
    ReplyInput,
    Retrieval,
    Route,
    StepTiming,
    ToolResult,
    TurnOutcome,
    TurnRef,
    Verdict,
)
from workflows.arrivals import Arrivals, Joined, NoArrivals
from workflows.failure import Failure, GivenUp, failure_of
from workflows.outage import Outage, local, mark

MAX_CALLS = 24
"""Model calls in one turn, whatever the agent allows: the last line against a loop of tools."""


class Turn:
    """Runs one turn to its end, which is an answer or an explanation, exactly once."""

    def __init__(self, ref: TurnRef, arrivals: Arrivals, tell: Callable[[str], None]) -> None:
        self.ref = ref
        self._arrivals = arrivals
        self._tell = tell
        self._messages: list[IncomingMessage] = []
        self._number = 0
        self._step = 0
        self._route = Route()
        self._checked = Verdict()
        self._retrieval = Retrieval()
        self._calls: list[Reply] = []
        self._results: list[ToolResult] = []
        self._timings: list[StepTiming] = []
        self._outage = Outage(ref, arrivals, tell)

    async def run(self, messages: list[IncomingMessage]) -> TurnOutcome:
        """Always ends; raises only CancelledError, after the turn was closed with an explanation."""
        try:
            persisted = await self._answer(messages)
        except GivenUp as given:
            return await self._fail(given.failure, handed_over=True)
        except ActivityError as error:
            return await self._fail(failure_of(error))
        except asyncio.CancelledError:
            await self._fail(Failure(failures.CANCELLED, "The run was cancelled."))
            raise
        mark("running")
        return TurnOutcome(turn_id=self.ref.turn_id, message_id=persisted.message_id)

    def parked(self) -> ParkedState | None:
        """What it waits for while nobody can answer; None when it does not wait."""
        return self._outage.state()

    def retry_now(self) -> None:
        """End the pause of a parked turn."""
        self._outage.retry_now()

    async def _answer(self, messages: list[IncomingMessage]) -> Persisted:
        while True:
            self._messages += messages
            await self._prepare(messages)
            try:
                text = await self._converse()
            except Joined:
                messages = self._arrivals.take()
                continue
            return await self._finish(text)

    async def _prepare(self, new: list[IncomingMessage]) -> None:
        """All that a reply needs. Messages that came meanwhile are taken along."""
        while True:
            self._tell("preparing: storing, routing and retrieving")
            started = workflow.time()
            prepared = await local(
                stubs.prepare,
                PrepareInput(ref=self.ref, messages=new, text=self._text()),
                "store the message, route it, find passages",
            )
            self._number, self._route, self._checked = prepared.number, prepared.route, prepared.checked
            self._retrieval = prepared.retrieval
            self._timings += prepared.timings
            self._time("prepare", started)
            if not self._arrivals.waiting():
                return
            new = self._arrivals.take()
            self._messages += new

    async def _converse(self) -> str:
        """Reply, and act as long as the model asks for tools. Returns the whole visible text."""
        if self._checked.action == "block":
            return self._checked.text or ""
        text = ""
        for call in range(MAX_CALLS):
            reply = await self._reply_patiently(text, first=call == 0)
            self._calls.append(reply)
            text += reply.text
            if not reply.tool_calls:
                break
            await self._act(reply)
        return text

    async def _reply_patiently(self, said: str, *, first: bool) -> Reply:
        """Waits out what passes. Raises GivenUp when that takes longer than the agent allows."""
        while True:
            await self._outage.over(joins=first)
            try:
                reply = await self._reply(said, first=first)
            except ActivityError as error:
                failure = failure_of(error)
                if not failure.passes or not await self._outage.begin(
                    failure, self._number, self._step, self._route.language
                ):
                    raise
            else:
                self._outage.answered()
                return reply

    async def _reply(self, said: str, *, first: bool) -> Reply:
        self._step += 1
        self._tell(f"replying from {len(self._retrieval.passages)} passages, model call {len(self._calls) + 1}")
        started = workflow.time()
        handle = workflow.start_activity(
            stubs.reply,
            ReplyInput(
                ref=self.ref,
                number=self._number,
                step=self._step,
                text=self._question(),
                route=self._route,
                passages=self._retrieval.passages,
                tool_results=self._results,
                said=said,
                tools_allowed=len(self._calls) < MAX_CALLS - 1,
                searched=self._searched(),
                tried=self._outage.tried,
                attachments=[one for message in self._messages for one in message.attachments],
            ),
            summary=f"reply from {len(self._retrieval.passages)} passages, call {len(self._calls) + 1}",
            **self._outage.reply_options,
        )
        if first:
            await self._let_join(handle)
        reply: Reply = await handle
        self._time("reply", started)
        return reply

    async def _let_join(self, handle: "workflow.ActivityHandle[Reply]") -> None:
        """While the reply is silent, a newer message may take its place; once it spoke, it goes on."""
        await workflow.wait_condition(lambda: handle.done() or self._arrivals.waiting())
        if handle.done():
            return
        interrupted = await local(
            stubs.interrupt,
            InterruptInput(ref=self.ref, number=self._number, step=self._step),
            "a newer message wants to join",
        )
        if interrupted.silenced:
            handle.add_done_callback(_forget)
            handle.cancel()
            raise Joined

    async def _act(self, reply: Reply) -> None:
        """The tools of one call, one after the other: the model asked for them in this order."""
        for call in reply.tool_calls:
            self._step += 1
            self._tell(f"acting: {call.name}")
            started = workflow.time()
            self._results.append(
                await workflow.execute_activity(
                    stubs.act,
                    ActInput(ref=self.ref, number=self._number, step=self._step, call=call),
                    summary=f"call {call.name}",
                    **options.ACT,
                )
            )
            self._time(f"act {call.name}", started)

    async def _finish(self, text: str) -> Persisted:
        self._tell("guarding and storing the answer")
        return await local(
            stubs.persist,
            PersistInput(
                ref=self.ref,
                number=self._number,
                text=text,
                question=self._text(),
                route=self._route,
                checked=self._checked,
                calls=self._calls,
                tool_results=self._results,
                timings=self._timings,
                best=self._retrieval.passages[0] if self._retrieval.passages else None,
                answerable=self._retrieval.answerable,
                rewrite=self._retrieval.rewrite,
                parked=self._outage.time(),
            ),
            "guard, then store answer, citations, usage and events",
        )

    async def _fail(self, failure: Failure, *, handed_over: bool = False) -> TurnOutcome:
        self._tell(f"{'handing over to a person' if handed_over else 'explaining a failure'}: {failure.code}")
        mark("handed_over" if handed_over else "failed")
        persisted = await local(
            stubs.fail,
            FailInput(
                ref=self.ref,
                messages=self._messages,
                code=failure.code,
                detail=failure.detail,
                handed_over=handed_over,
                language=self._route.language,
                parked=self._outage.time(),
            ),
            f"{'hand over' if handed_over else 'explain'}: {failure.code}",
        )
        return TurnOutcome(turn_id=self.ref.turn_id, message_id=persisted.message_id, failed=True)

    def _text(self) -> str:
        return "\n".join(message.text for message in self._messages)

    def _question(self) -> str:
        """What the model reads: the text as the guard left it."""
        if self._checked.action == "redact" and self._checked.text is not None:
            return self._checked.text
        return self._text()

    def _searched(self) -> str | None:
        """What the guard took out of a message must not come back by its rewriting."""
        rewrite = self._retrieval.rewrite
        return None if rewrite is None or self._checked.action == "redact" else rewrite.query

    def _time(self, step: str, started: float) -> None:
        self._timings.append(StepTiming(step=step, milliseconds=(workflow.time() - started) * 1000))


def refuse_unless_parked(turn: Turn | None) -> None:
    """For the validators of updates. Raises ApplicationError of type conflict."""
    if turn is None or turn.parked() is None:
        raise ApplicationError("no turn is parked here", type="conflict", non_retryable=True)


def end_pause(turn: Turn | None) -> ParkedState:
    """Let a parked turn try again at once. Answers what it waited for."""
    refuse_unless_parked(turn)
    assert turn is not None
    parked = turn.parked()
    assert parked is not None
    turn.retry_now()
    return parked


def _forget(handle: "asyncio.Task[Reply]") -> None:
    """Nobody waits for a reply that was silenced, so its end is looked at here."""
    if not handle.cancelled():
        handle.exception()


@workflow.defn(name="TurnWorkflow")
class TurnWorkflow:
    """One turn for a caller without a conversation, such as an OpenAI client that brings its history."""

    @workflow.init
    def __init__(self, input: OneShotInput) -> None:
        self._step = "starting"
        self._turn = Turn(input.ref, NoArrivals(), self._tell)

    @workflow.run
    async def run(self, input: OneShotInput) -> TurnOutcome:
        outcome = await self._turn.run(list(input.messages))
        await workflow.wait_condition(workflow.all_handlers_finished)
        return outcome

    @workflow.update
    async def retry_now(self, retry: RetryNow) -> ParkedState:
        """End the pause of a parked turn. Answers what it waited for."""
        return end_pause(self._turn)

    @retry_now.validator
    def check_retry(self, retry: RetryNow) -> None:
        refuse_unless_parked(self._turn)

    @workflow.query
    def state(self) -> ConversationState:
        return ConversationState(
            state="running", step=self._step, turn_id=self._turn.ref.turn_id, parked=self._turn.parked()
        )

    def _tell(self, step: str) -> None:
        self._step = step
        workflow.set_current_details(f"Now {step}.")
