"""The one map from what goes wrong in the house to what Temporal understands.

Not for faults of the machinery (a lost connection, a bug): those pass as they are and are retried.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError

from contracts.options import LONGEST_UNSEEN_WAIT
from domain.errors import DomainError, ProviderFailure

_LONGEST_WAIT = timedelta(seconds=30)
"""A provider may ask for a pause of an hour; the customer is told sooner that it cannot answer now."""


def to_application_error(
    error: DomainError, *, attempt: int = 1, provider_attempts: int | None = None
) -> ApplicationError:
    """The same failure with `type` = its code (see contracts/failures.py).

    Not retried unless the error says that the same call may succeed later. A provider's own
    wish for a pause becomes the delay before the next attempt. provider_attempts: after so many, or when
    the pause would be long, the workflow waits instead. The attempt and the kind of the failure go along.
    """
    delay: timedelta | None = None
    retryable = error.retryable
    kind = error.kind if isinstance(error, ProviderFailure) else None
    if isinstance(error, ProviderFailure):
        if error.retry_after is not None:
            delay = timedelta(seconds=error.retry_after)
        if provider_attempts is None:
            delay = None if delay is None else min(delay, _LONGEST_WAIT)
        elif attempt >= provider_attempts or (delay is not None and delay > LONGEST_UNSEEN_WAIT):
            retryable = False
    return ApplicationError(
        error.detail, attempt, kind, type=error.code, non_retryable=not retryable, next_retry_delay=delay
    )


@asynccontextmanager
async def domain_errors(*, provider_attempts: int | None = None) -> AsyncIterator[None]:
    """Translate a DomainError of the block into an ApplicationError; everything else passes.

    provider_attempts: see `to_application_error`. Also a decorator, below `@activity.defn`: `@domain_errors()`.
    """
    try:
        yield
    except DomainError as error:
        attempt = activity.info().attempt if activity.in_activity() else 1
        raise to_application_error(error, attempt=attempt, provider_attempts=provider_attempts) from error
