"""The one map from what goes wrong in the house to what Temporal understands.

Not for faults of the machinery (a lost connection, a bug): those pass as they are and are retried.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from temporalio.exceptions import ApplicationError

from domain.errors import DomainError, ProviderUnavailable

_LONGEST_WAIT = timedelta(seconds=30)
"""A provider may ask for a pause of an hour; the customer is told sooner that it cannot answer now."""


def to_application_error(error: DomainError) -> ApplicationError:
    """The same failure with `type` = its code (see contracts/failures.py).

    Not retried unless the error says that the same call may succeed later. A provider's own
    wish for a pause becomes the delay before the next attempt.
    """
    delay: timedelta | None = None
    if isinstance(error, ProviderUnavailable) and error.retry_after is not None:
        delay = min(timedelta(seconds=error.retry_after), _LONGEST_WAIT)
    return ApplicationError(error.detail, type=error.code, non_retryable=not error.retryable, next_retry_delay=delay)


@asynccontextmanager
async def domain_errors() -> AsyncIterator[None]:
    """Translate a DomainError of the block into an ApplicationError; everything else passes.

    Also a decorator, below `@activity.defn`: `@domain_errors()`.
    """
    try:
        yield
    except DomainError as error:
        raise to_application_error(error) from error
