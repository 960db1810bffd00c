"""Failure types as they cross Temporal: the name decides who retries, so nothing parses messages.

Each is the `type` of an ApplicationError raised by an activity and read by a workflow.
"""

from typing import Final

SUPERSEDED: Final = "superseded"
"""A newer attempt or message holds the fence; this one must stop silently. Never retried."""

PROVIDER_UNAVAILABLE: Final = "provider_unavailable"
"""Overload, timeout, reset, 5xx or 429: worth another attempt."""

PROVIDER_REJECTED: Final = "provider_rejected"
"""Wrong key, unknown model, refused content or a bad request: another attempt would end the same."""

PROVIDER_GARBAGE: Final = "provider_garbage"
"""The provider answered, but not in its own format. Retried: proxies and overload do this."""

BUDGET_EXCEEDED: Final = "budget_exceeded"
"""A hard limit on spending would be passed: the call was not made. Never retried at once."""

INVALID_INPUT: Final = "invalid_input"
"""What was asked cannot be done, whoever tries. Never retried."""

NOT_FOUND: Final = "not_found"
"""The row is gone or belongs to somebody else. Never retried."""

TOOL_UNKNOWN: Final = "tool_unknown"
"""A tool call was sent and its outcome is not known; parked for a person. Never retried."""

TOOL_UNAVAILABLE: Final = "tool_unavailable"
"""A tool could not be reached, or is overloaded, and asking again is safe. Retried."""

DOCUMENT_UNREADABLE: Final = "document_unreadable"
"""Corrupt, encrypted, empty or not of a known kind. Never retried."""

CANCELLED: Final = "cancelled"
"""An operator or the caller stopped the run."""

INTERNAL: Final = "internal"
"""Anything else: a lost connection, a bug. Retried, in case it passes."""

NON_RETRYABLE: Final = (
    SUPERSEDED,
    PROVIDER_REJECTED,
    BUDGET_EXCEEDED,
    INVALID_INPUT,
    NOT_FOUND,
    TOOL_UNKNOWN,
    DOCUMENT_UNREADABLE,
)
PASSING: Final = (PROVIDER_UNAVAILABLE, PROVIDER_GARBAGE, BUDGET_EXCEEDED)
"""Nobody can answer now, and later somebody may: a turn is parked."""
PASSING_KINDS: Final = ("auth", "quota")
"""Kinds of PROVIDER_REJECTED that an operator can mend: a key, an account. Its turns are parked too."""

ALL: Final = (*NON_RETRYABLE, PROVIDER_UNAVAILABLE, PROVIDER_GARBAGE, TOOL_UNAVAILABLE, CANCELLED, INTERNAL)
