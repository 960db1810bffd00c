"""What a failed step means for its turn. No branch on texts: the types are in `contracts/failures.py`."""

from dataclasses import dataclass

from temporalio.exceptions import ActivityError, ApplicationError

from contracts import failures


@dataclass(frozen=True, slots=True)
class Failure:
    """attempts: how often the step was tried. kind: of a provider's failure. retry_after_seconds: as it asked for."""

    code: str
    detail: str
    attempts: int = 1
    kind: str | None = None
    retry_after_seconds: float | None = None

    @property
    def passes(self) -> bool:
        """Nobody could answer now, and the same question may be answered later."""
        return self.code in failures.PASSING or self.kind in failures.PASSING_KINDS


def failure_of(error: ActivityError) -> Failure:
    """A code of ours; a fault of the machinery (a lost connection, a bug) is internal."""
    cause = error.cause
    detail = f"{error.activity_type}: {cause or error}"[:500]
    if not isinstance(cause, ApplicationError):
        # Without an answer it was a time-out: of a reply, that is its provider's.
        late = error.activity_type == "reply"
        return Failure(failures.PROVIDER_UNAVAILABLE if late else failures.INTERNAL, detail)
    delay = cause.next_retry_delay
    # As `activities/errors.py` attaches them.
    attempt, kind = (*cause.details, None, None)[:2]
    return Failure(
        cause.type if cause.type in failures.ALL else failures.INTERNAL,
        detail,
        attempts=attempt if isinstance(attempt, int) else 1,
        kind=kind if isinstance(kind, str) else None,
        retry_after_seconds=None if delay is None else delay.total_seconds(),
    )


class GivenUp(Exception):
    """Nobody could answer for as long as the agent allows: a person must."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail)
        self.failure = failure
