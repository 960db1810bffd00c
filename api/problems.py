"""Every error of the API as RFC 9457 problem+json. Not for the vendor's envelope: see `openai_errors.py`.

`type` is a relative reference, so it needs no host: `GET /problems/{code}` says what it means.
"""

import json
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Any

import asyncpg
import orjson
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response
from temporalio.service import RPCError

from api import faults
from domain.errors import Conflict, DomainError, Forbidden, Invalid, NotFound, TooLarge, Unauthenticated

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 1
"""Restarts of Postgres and Temporal took 0.3-2 s here; a client that waits longer only adds to it."""

_TRANSLATIONS: dict[int, type[DomainError]] = {
    400: faults.BadRequest,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    405: faults.MethodNotAllowed,
    409: Conflict,
    413: TooLarge,
    415: faults.UnsupportedMediaType,
    422: Invalid,
    503: faults.Unavailable,
}
"""What the framework raises by status, as the house says it."""

LOST_DATABASE = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    InterfaceError,
    OperationalError,
    PoolTimeoutError,
)


class Problem(Exception):
    """Not raised: what is about to be said about an error, before it has a wire format."""

    def __init__(self, fault: DomainError, errors: Sequence[dict[str, Any]] = ()) -> None:
        self.fault = fault
        self.errors = list(errors) or _places(fault)


def translate(error: Exception) -> Problem:
    """The meaning of any exception. What nobody foresaw is `internal`, without a word of its text."""
    if isinstance(error, DomainError):
        return Problem(error)
    if isinstance(error, RequestValidationError):
        return _invalid(error)
    if isinstance(error, HTTPException):
        kind = _TRANSLATIONS.get(error.status_code, faults.BadRequest)
        return Problem(kind(_sentence(error.status_code)))
    if isinstance(error, DBAPIError) and (error.connection_invalidated or _lost(error.orig)):
        return Problem(faults.Unavailable("the database is not reachable"))
    if isinstance(error, (*LOST_DATABASE, RPCError, TimeoutError)):
        return Problem(faults.Unavailable("a server that this needs is not reachable"))
    return Problem(DomainError("something went wrong here; the request id leads to it in the logs"))


def _lost(error: BaseException | None) -> bool:
    """SQLAlchemy puts asyncpg's error behind one of its own: "the database system is starting up" was a 500."""
    return error is not None and (isinstance(error, LOST_DATABASE) or isinstance(error.__cause__, LOST_DATABASE))


def document(problem: Problem, *, path: str, request_id: str) -> dict[str, Any]:
    """The problem as RFC 9457 wants it."""
    fault = problem.fault
    said: dict[str, Any] = {
        "type": f"/problems/{fault.code}",
        "title": title(fault.code),
        "status": fault.status,
        "detail": fault.detail,
        "instance": path,
        "code": fault.code,
        "request_id": request_id,
    }
    if problem.errors:
        said["errors"] = problem.errors
    return said


def respond(connection: HTTPConnection, problem: Problem, headers: dict[str, str] | None = None) -> Response:
    """As an HTTP response."""
    fault = problem.fault
    extra = dict(headers or {})
    if fault.retryable:
        extra["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if isinstance(fault, Unauthenticated):
        extra["WWW-Authenticate"] = "Bearer"
    body = document(problem, path=connection.url.path, request_id=connection.scope["state"]["request_id"])
    return Response(orjson.dumps(body), fault.status, extra, MEDIA_TYPE)


def title(code: str) -> str:
    return code.replace("_", " ").capitalize()


def known_codes() -> dict[str, type[DomainError]]:
    """Every fault there is, by code."""

    def below(kind: type[DomainError]) -> Iterator[type[DomainError]]:
        yield kind
        for child in kind.__subclasses__():
            yield from below(child)

    found: dict[str, type[DomainError]] = {}
    for kind in below(DomainError):
        found.setdefault(kind.code, kind)
    return found


def _sentence(status: int) -> str:
    return {404: "there is nothing at this path", 413: "the body is larger than this takes"}.get(
        status, HTTPStatus(status).phrase.lower()
    )


def _places(fault: DomainError) -> list[dict[str, Any]]:
    if isinstance(fault, faults.InvalidParameter):
        return [{"parameter": fault.parameter, "detail": fault.detail}]
    if fault.pointer is not None:
        return [{"pointer": fault.pointer, "detail": fault.detail}]
    return []


def _invalid(error: RequestValidationError) -> Problem:
    faulty = error.errors()
    if any(one["loc"][:1] == ("path",) for one in faulty):
        return Problem(NotFound("there is nothing with this id"))
    if any(one["type"] == "json_invalid" for one in faulty):
        return Problem(faults.MalformedJson("the body is not JSON"))
    return Problem(Invalid("the request is not valid; `errors` says where"), [_place(one) for one in faulty])


def _place(one: dict[str, Any]) -> dict[str, Any]:
    # Pydantic adds "[key]" to the place of a key that is not valid; there is nothing in the body by that name.
    where, *steps = [step for step in one["loc"] if step != "[key]"]
    detail = str(one["msg"]).encode("utf-8", "replace").decode()
    if where == "body":
        known = one.get("ctx", {})
        place = "".join(f"/{escaped(step)}" for step in steps) + known.get("pointer", "")
        line = {"line": known["line"]} if isinstance(known.get("line"), int) else {}
        return {"pointer": place, **line, "detail": detail, "code": one["type"]}
    name = str(steps[0]) if steps else str(where)
    return {"parameter": name, "detail": detail, "code": one["type"]}


def escaped(step: object) -> str:
    """A step of a JSON Pointer (RFC 6901), safe to send."""
    return str(step).replace("~", "~0").replace("/", "~1").encode("utf-8", "replace").decode()


SCHEMA: dict[str, Any] = json.loads("""{
  "type": "object",
  "title": "Problem",
  "description": "RFC 9457. `type` is relative to the API: GET it to read what it means.",
  "required": ["type", "title", "status", "detail", "code", "request_id"],
  "properties": {
    "type": {"type": "string", "format": "uri-reference", "example": "/problems/invalid_input"},
    "title": {"type": "string"},
    "status": {"type": "integer"},
    "detail": {"type": "string"},
    "instance": {"type": "string"},
    "code": {"type": "string"},
    "request_id": {"type": "string"},
    "errors": {
      "type": "array",
      "items": {
        "type": "object",
        "properties": {
          "pointer": {"type": "string", "description": "JSON Pointer into the body"},
          "line": {"type": "integer", "description": "of the text at the pointer, from 1, where it has lines"},
          "parameter": {"type": "string", "description": "query parameter or header"},
          "detail": {"type": "string"},
          "code": {"type": "string"}
        }
      }
    }
  }
}""")
