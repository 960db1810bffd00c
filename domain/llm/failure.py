"""What a provider's failure means: worth another attempt, refused, or not in its own format. One map for every SDK."""

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from domain.errors import DomainError, ProviderGarbage, ProviderRejected, ProviderUnavailable

_MOST_DETAIL = 300
_RETRYABLE_STATUS = frozenset({408, 409, 429})
_REFUSALS = frozenset(
    {
        "authentication_error",
        "billing_error",
        "invalid_request_error",
        "not_found_error",
        "permission_error",
        "request_too_large",
        "insufficient_quota",
    }
)
"""Types of error events inside a stream after which another attempt ends the same."""


def from_status(provider: str, status: int, message: str, headers: Mapping[str, str]) -> DomainError:
    """The failure that an HTTP status stands for."""
    detail = f"{provider} answered {status}: {message}"[:_MOST_DETAIL]
    if status in _RETRYABLE_STATUS or status >= 500:
        return ProviderUnavailable(detail, retry_after=retry_after(headers))
    if status < 400:
        return ProviderGarbage(detail)
    return ProviderRejected(detail)


def from_event(provider: str, kind: str | None, message: str) -> DomainError:
    """The failure that an error event in the middle of a stream stands for."""
    detail = f"{provider} broke off: {message}"[:_MOST_DETAIL]
    return ProviderRejected(detail) if kind in _REFUSALS else ProviderUnavailable(detail)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait as the provider asks, from `retry-after-ms` or `retry-after` (seconds or a date)."""
    milliseconds, wish = headers.get("retry-after-ms"), headers.get("retry-after")
    try:
        if milliseconds is not None:
            return max(0.0, float(milliseconds) / 1000)
        if wish is None:
            return None
        return max(
            0.0, float(wish) if wish.strip()[:1].isdigit() else parsedate_to_datetime(wish).timestamp() - time.time()
        )
    except ValueError:
        return None
