"""What can go wrong, said where it is raised; one map turns it into HTTP, one into Temporal.

Never branch on the text: the class and its `code` are the meaning.
"""

from typing import ClassVar, Literal

from contracts.turn import Usage

FailureKind = Literal[
    "auth",
    "quota",
    "rate",
    "overload",
    "timeout",
    "unreachable",
    "content_filter",
    "context_overflow",
    "bad_request",
    "garbage",
]
"""What went wrong with a model provider; each kind has its own move (docs/models.md)."""


class DomainError(Exception):
    """code is stable and public; status is the HTTP status; retryable: the same call may succeed later."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    def __init__(self, detail: str, *, pointer: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.pointer = pointer
        """JSON Pointer into the request body, where the fault has a place."""


class NotFound(DomainError):
    """Gone, never there, or somebody else's: the three are not told apart."""

    code = "not_found"
    status = 404


class Invalid(DomainError):
    code = "invalid_input"
    status = 422


class IdempotencyKeyReused(DomainError):
    """The Idempotency-Key was already used for another request."""

    code = "idempotency_key_reused"
    status = 422


class TooLarge(DomainError):
    code = "too_large"
    status = 413


class Conflict(DomainError):
    code = "conflict"
    status = 409


class ConversationIsClosed(Conflict):
    code = "conversation_closed"


class InboxFull(DomainError):
    code = "inbox_full"
    status = 429
    retryable = True


class Unauthenticated(DomainError):
    code = "unauthenticated"
    status = 401


class Forbidden(DomainError):
    code = "forbidden"
    status = 403


class Superseded(DomainError):
    """A newer attempt or message holds the right to speak."""

    code = "superseded"
    status = 409


class DocumentUnreadable(DomainError):
    code = "document_unreadable"
    status = 422


class EmbeddingMismatch(DomainError):
    """A collection holds vectors of one embedder, and this process has another: ingest it again, or set it back."""

    code = "embedding_mismatch"
    status = 409

    def __init__(self, held: int, given: int) -> None:
        super().__init__(f"the collection holds vectors of {held} dimensions, the embedding model makes {given}")


class StorageUnavailable(DomainError):
    """Object storage does not answer, or refuses."""

    code = "storage_unavailable"
    status = 503
    retryable = True


class SourceUnreachable(DomainError):
    """A website, address or database that documents come from does not answer, or answers with a fault of its own."""

    code = "source_unreachable"
    status = 502
    retryable = True


class SourceRefused(DomainError):
    """What is there may not be fetched, or is larger than allowed; trying again would end the same."""

    code = "source_refused"
    status = 422


class ProviderFailure(DomainError):
    """A model provider did not give what was asked for. kind decides what is tried next."""

    def __init__(
        self, detail: str, *, kind: FailureKind, retry_after: float | None = None, usage: Usage | None = None
    ) -> None:
        """retry_after: seconds, when the provider said so. usage: what it counted, when it was done and yet failed."""
        super().__init__(detail)
        self.kind = kind
        self.retry_after = retry_after
        self.usage = usage


class ProviderUnavailable(ProviderFailure):
    """Overload, timeout, reset, 5xx or 429: the same call may succeed later."""

    code = "provider_unavailable"
    status = 503
    retryable = True

    def __init__(self, detail: str, *, kind: FailureKind = "unreachable", retry_after: float | None = None) -> None:
        super().__init__(detail, kind=kind, retry_after=retry_after)


class ProviderRejected(ProviderFailure):
    """The provider refuses this request or this key; trying again would end the same."""

    code = "provider_rejected"
    status = 502

    def __init__(self, detail: str, *, kind: FailureKind = "bad_request", usage: Usage | None = None) -> None:
        super().__init__(detail, kind=kind, usage=usage)


class ProviderGarbage(ProviderFailure):
    """The provider answered, but not in its own format, or not with what was asked for."""

    code = "provider_garbage"
    status = 502
    retryable = True

    def __init__(self, detail: str, *, usage: Usage | None = None) -> None:
        super().__init__(detail, kind="garbage", usage=usage)


class BudgetExceeded(DomainError):
    """A hard limit on spending would be passed by this call; it was not made."""

    code = "budget_exceeded"
    status = 429


class ToolUnavailable(DomainError):
    """The tool could not be reached, or is overloaded, and asking again is safe."""

    code = "tool_unavailable"
    status = 503
    retryable = True


class ToolOutcomeUnknown(DomainError):
    """A side effect was asked for and nobody knows whether it happened."""

    code = "tool_unknown"
    status = 502
