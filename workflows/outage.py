"""An outage as a turn lives through it: park, wait, try again. Not for how long: the `park` activity decides that."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from temporalio import workflow

from contracts import options, search, stubs
from contracts.conversation import ParkedState
from contracts.outage import Parked, ParkInput, UnparkInput, Woken
from contracts.turn import ParkedTime, TurnRef
from workflows.arrivals import Arrivals, Joined
from workflows.failure import Failure, GivenUp

Input = TypeVar("Input")
Output = TypeVar("Output")


class Outage:
    """The pauses of one turn. Nothing happens here in a turn whose model answers."""

    def __init__(self, ref: TurnRef, arrivals: Arrivals, tell: Callable[[str], None]) -> None:
        self._ref = ref
        self._arrivals = arrivals
        self._tell = tell
        self._code = ""
        self._since = 0.0
        self._until = 0.0
        self._pauses = 0
        self._now: Parked | None = None
        self._woken: Woken = "timer"
        self._tried = 0

    @property
    def tried(self) -> int:
        """Attempts at the present model call that failed before its turn was parked."""
        return self._tried

    @property
    def reply_options(self) -> dict[str, Any]:
        return options.REPLY_AGAIN if self._pauses else options.REPLY

    def answered(self) -> None:
        """The model call that failed has been answered; the next one counts for itself."""
        self._tried = 0

    def state(self) -> ParkedState | None:
        """What it waits for now; None when it does not wait."""
        if self._now is None:
            return None
        return ParkedState(code=self._code, since=_moment(self._since), until=_moment(self._until), pause=self._pauses)

    def time(self) -> ParkedTime | None:
        """From the first pause on until now; None when there was none."""
        if not self._pauses:
            return None
        return ParkedTime(code=self._code, seconds=workflow.time() - self._since, pauses=self._pauses)

    def retry_now(self) -> None:
        self._woken, self._until = "retry", workflow.time()

    async def begin(self, failure: Failure, number: int, step: int, language: str) -> bool:
        """Park after a failure that passes. False: this agent explains instead. Raises GivenUp."""
        self._code = failure.code
        self._tried += failure.attempts
        parked = await local(
            stubs.park,
            ParkInput(
                ref=self._ref,
                number=number,
                step=step,
                code=failure.code,
                detail=failure.detail,
                language=language,
                pauses=self._pauses,
                waited_seconds=workflow.time() - self._since if self._pauses else 0,
                retry_after_seconds=failure.retry_after_seconds,
            ),
            f"nobody can answer: {failure.code}",
        )
        if parked.action == "hand_over":
            raise GivenUp(failure)
        if parked.action == "explain":
            return False
        self._since = self._since if self._pauses else workflow.time()
        self._pauses += 1
        self._now, self._woken, self._until = parked, "timer", workflow.time() + parked.seconds
        mark("parked")
        return True

    async def over(self, *, joins: bool) -> None:
        """Returns when it is time to try again; at once when nothing is parked.

        joins: a message may join the turn, unless the customer has read a part of the reply. Raises Joined.
        """
        if self._now is None:
            return
        await self._wait(joins and not self._now.spoken, firm=self._now.firm)
        self._now = None
        await local(
            stubs.unpark,
            UnparkInput(ref=self._ref, pause=self._pauses, woken=self._woken),
            f"try again: {self._woken}",
        )

    async def _wait(self, joins: bool, *, firm: bool) -> None:
        while (rest := self._until - workflow.time()) > 0:
            self._tell(
                f"parked since {_clock(self._since)}, because nobody can answer ({self._code}): tries again at "
                f"{_clock(self._until)} after pause {self._pauses}, or when it is told to (`retry_now`)"
            )
            try:
                await workflow.wait_condition(
                    lambda: workflow.time() >= self._until or (joins and self._arrivals.waiting()),
                    timeout=timedelta(seconds=rest),
                    timeout_summary=f"ask the model again after pause {self._pauses}",
                )
            except TimeoutError:
                return
            if joins and self._arrivals.waiting():
                if not firm:
                    self._woken, self._until = "message", workflow.time()
                raise Joined


async def local(stub: Callable[[Input], Awaitable[Output]], input: Input, summary: str) -> Output:
    """A short step, run by the worker that has the workflow: 1 ms instead of 10 through the server."""
    output: Output = await workflow.execute_local_activity(stub, input, summary=summary, **options.STEP)
    return output


def mark(state: str) -> None:
    """What operators filter by. An event of history, so only when it changes; a run begins as running."""
    known = workflow.info().typed_search_attributes.get(search.STATE) or "running"
    if known != state:
        workflow.upsert_search_attributes([search.STATE.value_set(state)])


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _clock(seconds: float) -> str:
    return f"{_moment(seconds):%H:%M:%S} UTC"
