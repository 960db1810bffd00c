"""What a provider's failure means: worth another attempt, refused, or not in its own format. One map for every SDK."""

import math
import time
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime

from domain.errors import DomainError, FailureKind, ProviderGarbage, ProviderRejected, ProviderUnavailable

_MOST_DETAIL = 300

_LONGEST_WAIT_SECONDS = 3600.0
"""Who asks for a year is asked again in an hour: a clock that is wrong must not end a provider."""

_OF_STATUS: dict[int, FailureKind] = {
    401: "auth",
    402: "quota",
    403: "auth",
    408: "timeout",
    409: "overload",
    413: "context_overflow",
    425: "overload",
    429: "rate",
    504: "timeout",
}

_OF_TYPE: dict[str, FailureKind] = {
    "authentication_error": "auth",
    "invalid_api_key": "auth",
    "permission_error": "auth",
    "billing_error": "quota",
    "insufficient_quota": "quota",
    "content_filter": "content_filter",
    "content_policy_violation": "content_filter",
    "image_content_policy_violation": "content_filter",
    "bio_policy": "content_filter",
    "misalignment_policy_violation": "content_filter",
    "context_length_exceeded": "context_overflow",
    "request_too_large": "context_overflow",
    "string_above_max_length": "context_overflow",
    "invalid_request_error": "bad_request",
    "invalid_prompt": "bad_request",
    "invalid_image": "bad_request",
    "image_too_large": "bad_request",
    "unsupported_image_media_type": "bad_request",
    "not_found_error": "bad_request",
    "model_not_found": "bad_request",
    "rate_limit_error": "rate",
    "rate_limit_exceeded": "rate",
    "overloaded_error": "overload",
    "timeout_error": "timeout",
    "exceed_context_size_error": "context_overflow",
    "API_KEY_INVALID": "auth",
    "API_KEY_SERVICE_BLOCKED": "auth",
    "UNAUTHENTICATED": "auth",
    "PERMISSION_DENIED": "auth",
    "RESOURCE_EXHAUSTED": "rate",
    "DEADLINE_EXCEEDED": "timeout",
}
"""Types and codes that providers put into their error bodies and error events."""

_FINAL: frozenset[FailureKind] = frozenset({"auth", "quota", "content_filter", "context_overflow", "bad_request"})
"""Kinds after which the same call to the same provider ends the same."""


def from_status(
    provider: str, status: int, message: str, headers: Mapping[str, str], *, types: Sequence[str | None] = ()
) -> DomainError:
    """The failure that an HTTP status stands for.

    types: what the body says of itself (code, then type): a 429 may be an empty account, a 400 too long a prompt.
    """
    detail = f"{provider} answered {status}: {message}"[:_MOST_DETAIL]
    if status < 400:
        return ProviderGarbage(detail)
    usual: FailureKind = "overload" if status >= 500 else "bad_request"
    kind = _OF_STATUS.get(status, usual)
    said = next((_OF_TYPE[name] for name in types if name in _OF_TYPE), None)
    if said is not None and status < 500 and (said != "bad_request" or kind == "bad_request"):
        kind = said
    return _failure(detail, kind, retry_after(headers))


def from_event(provider: str, types: Sequence[str | None], message: str) -> DomainError:
    """The failure that an error event in the middle of a stream stands for."""
    kind: FailureKind = next((_OF_TYPE[name] for name in types if name in _OF_TYPE), "overload")
    return _failure(f"{provider} broke off: {message}"[:_MOST_DETAIL], kind, None)


def _failure(detail: str, kind: FailureKind, wait: float | None) -> DomainError:
    if kind in _FINAL:
        return ProviderRejected(detail, kind=kind)
    return ProviderUnavailable(detail, kind=kind, retry_after=wait)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait as the provider asks, from `retry-after-ms` or `retry-after` (seconds or a date), 0 to 3600.

    None when it asks for nothing, or for what is no time.
    """
    milliseconds, wish = headers.get("retry-after-ms"), headers.get("retry-after")
    try:
        if milliseconds is not None:
            asked = float(milliseconds) / 1000
        elif wish is None:
            return None
        elif wish.strip()[:1].isdigit():
            asked = float(wish)
        else:
            asked = parsedate_to_datetime(wish).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
    return None if math.isnan(asked) else min(max(0.0, asked), _LONGEST_WAIT_SECONDS)
