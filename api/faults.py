"""Faults that only the HTTP door knows: the rest are in `domain/errors.py`."""

from domain.errors import DomainError, Invalid, NotFound


class Unavailable(DomainError):
    """Postgres or Temporal does not answer now. The same request may be sent again."""

    code = "unavailable"
    status = 503
    retryable = True


class MalformedJson(DomainError):
    """The body is not JSON."""

    code = "malformed_json"
    status = 400


class UnsupportedMediaType(DomainError):
    """The body or the uploaded file is of a kind that is not read here."""

    code = "unsupported_media_type"
    status = 415


class MethodNotAllowed(DomainError):
    """The path exists, but not with this method."""

    code = "method_not_allowed"
    status = 405


class BadRequest(DomainError):
    """The request cannot be read."""

    code = "bad_request"
    status = 400


class InvalidParameter(Invalid):
    """A query parameter or header, named by `parameter`, is not valid."""

    def __init__(self, detail: str, *, parameter: str) -> None:
        super().__init__(detail)
        self.parameter = parameter


class ModelNotFound(NotFound):
    """No agent of that name or id works here, for clients that call an agent a model."""

    code = "model_not_found"
