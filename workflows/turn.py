"""One turn as a story: prepare (route, retrieve), reply and act in turns, persist (guarded).

Not for deciding when a turn begins: a conversation does that, or a caller without one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from contracts import failures, options, search, stubs
from contracts.conversation import ConversationState
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

Input = TypeVar("Input")
Output = TypeVar("Output")

MAX_CALLS = 24
"""Model calls in one turn, whatever the agent allows: the last line against a loop of tools."""


class Arrivals(Protocol):
    """Messages that arrive while a turn runs."""

    def waiting(self) -> bool: ...

    def take(self) -> list[IncomingMessage]: ...


class NoArrivals:
    """For a turn nobody can add to."""

    def waiting(self) -> bool:
        return False

    def take(self) -> list[IncomingMessage]:
        return []


class _Joined(Exception):
    """A newer message joined before the reply said anything: prepare again, with both."""


class Turn:
    """Runs one turn to its end, which is an answer or an explanation, exactly once."""

    def __init__(self, ref: TurnRef, arrivals: Arrivals, tell: Callable[[str], None]) -> None:
        self._ref = ref
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

    async def run(self, messages: list[IncomingMessage]) -> TurnOutcome:
        """Always ends; raises only CancelledError, after the turn was closed with an explanation."""
        try:
            persisted = await self._answer(messages)
        except ActivityError as error:
            return await self._fail(_code(error), _detail(error))
        except asyncio.CancelledError:
            await self._fail(failures.CANCELLED, "The run was cancelled.")
            raise
        return TurnOutcome(turn_id=self._ref.turn_id, message_id=persisted.message_id)

    async def _answer(self, messages: list[IncomingMessage]) -> Persisted:
        while True:
            self._messages += messages
            await self._prepare(messages)
            try:
                text = await self._converse()
            except _Joined:
                messages = self._arrivals.take()
                continue
            return await self._finish(text)

    async def _prepare(self, new: list[IncomingMessage]) -> None:
        """All that a reply needs. Messages that came meanwhile are taken along."""
        while True:
            self._tell("preparing: storing, routing and retrieving")
            started = workflow.time()
            prepared = await _local(
                stubs.prepare,
                PrepareInput(ref=self._ref, messages=new, text=self._text()),
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
            reply = await self._reply(text, first=call == 0)
            self._calls.append(reply)
            text += reply.text
            if not reply.tool_calls:
                break
            await self._act(reply)
        return text

    async def _reply(self, said: str, *, first: bool) -> Reply:
        self._step += 1
        self._tell(f"replying from {len(self._retrieval.passages)} passages, model call {len(self._calls) + 1}")
        started = workflow.time()
        handle = workflow.start_activity(
            stubs.reply,
            ReplyInput(
                ref=self._ref,
                number=self._number,
                step=self._step,
                text=self._question(),
                route=self._route,
                passages=self._retrieval.passages,
                tool_results=self._results,
                said=said,
                tools_allowed=len(self._calls) < MAX_CALLS - 1,
                searched=self._searched(),
            ),
            summary=f"reply from {len(self._retrieval.passages)} passages, call {len(self._calls) + 1}",
            **options.REPLY,
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
        interrupted = await _local(
            stubs.interrupt,
            InterruptInput(ref=self._ref, number=self._number, step=self._step),
            "a newer message wants to join",
        )
        if interrupted.silenced:
            handle.add_done_callback(_forget)
            handle.cancel()
            raise _Joined

    async def _act(self, reply: Reply) -> None:
        """The tools of one call, one after the other: the model asked for them in this order."""
        for call in reply.tool_calls:
            self._step += 1
            self._tell(f"acting: {call.name}")
            started = workflow.time()
            self._results.append(
                await workflow.execute_activity(
                    stubs.act,
                    ActInput(ref=self._ref, number=self._number, step=self._step, call=call),
                    summary=f"call {call.name}",
                    **options.ACT,
                )
            )
            self._time(f"act {call.name}", started)

    async def _finish(self, text: str) -> Persisted:
        self._tell("guarding and storing the answer")
        return await _local(
            stubs.persist,
            PersistInput(
                ref=self._ref,
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
            ),
            "guard, then store answer, citations, usage and events",
        )

    async def _fail(self, code: str, detail: str) -> TurnOutcome:
        self._tell(f"explaining a failure: {code}")
        workflow.upsert_search_attributes([search.STATE.value_set("failed")])
        persisted = await _local(
            stubs.fail, FailInput(ref=self._ref, messages=self._messages, code=code, detail=detail), f"explain: {code}"
        )
        return TurnOutcome(turn_id=self._ref.turn_id, message_id=persisted.message_id, failed=True)

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


async def _local(stub: Callable[[Input], Awaitable[Output]], input: Input, summary: str) -> Output:
    """A short step, run by the worker that has the workflow: 1 ms instead of 10 through the server."""
    output: Output = await workflow.execute_local_activity(stub, input, summary=summary, **options.STEP)
    return output


def _forget(handle: "asyncio.Task[Reply]") -> None:
    """Nobody waits for a reply that was silenced, so its end is looked at here."""
    if not handle.cancelled():
        handle.exception()


def _code(error: ActivityError) -> str:
    """A code of ours; a fault of the machinery (a lost connection, a bug) is internal."""
    cause = error.cause
    if isinstance(cause, ApplicationError):
        return cause.type if cause.type in failures.ALL else failures.INTERNAL
    # Without an answer it was a time-out: of a reply, that is its provider's.
    return failures.PROVIDER_UNAVAILABLE if error.activity_type == "reply" else failures.INTERNAL


def _detail(error: ActivityError) -> str:
    return f"{error.activity_type}: {error.cause or error}"[:500]


@workflow.defn(name="TurnWorkflow")
class TurnWorkflow:
    """One turn for a caller without a conversation, such as an OpenAI client that brings its history."""

    def __init__(self) -> None:
        self._step = "starting"

    @workflow.run
    async def run(self, input: OneShotInput) -> TurnOutcome:
        return await Turn(input.ref, NoArrivals(), self._tell).run(list(input.messages))

    @workflow.query
    def state(self) -> ConversationState:
        return ConversationState(state="running", step=self._step)

    def _tell(self, step: str) -> None:
        self._step = step
        workflow.set_current_details(f"Now {step}.")
