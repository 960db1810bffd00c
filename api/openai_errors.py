"""The same errors in OpenAI's envelope, for the endpoints that its clients call."""

import math
from typing import Any

import orjson
from starlette.requests import HTTPConnection
from starlette.responses import Response

from api.problems import RETRY_AFTER_SECONDS, Problem
from domain.errors import ProviderFailure

_PREFIXES = ("/v1/chat/", "/v1/models")
_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}
_CODES = {"unauthenticated": "invalid_api_key", "forbidden": "insufficient_permissions"}


def speaks_openai(path: str) -> bool:
    return path.startswith(_PREFIXES)


def envelope(problem: Problem, *, request_id: str) -> tuple[int, dict[str, Any]]:
    """Status and body. Clients of that API know 400 where ours says 422."""
    fault = problem.fault
    status = 400 if fault.status == 422 else fault.status
    kind = _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    place = problem.errors[0] if problem.errors else {}
    param = place.get("pointer", "").lstrip("/").replace("/", ".") or place.get("parameter")
    message = f"{fault.detail}: {place['detail']}" if place and place["detail"] != fault.detail else fault.detail
    code = _CODES.get(fault.code, fault.code)
    error = {"message": message, "type": kind, "param": param, "code": code, "request_id": request_id}
    return status, {"error": error}


def respond(connection: HTTPConnection, problem: Problem, headers: dict[str, str] | None = None) -> Response:
    status, body = envelope(problem, request_id=connection.scope["state"]["request_id"])
    extra = dict(headers or {})
    fault = problem.fault
    if fault.retryable:
        wait = fault.retry_after if isinstance(fault, ProviderFailure) else None
        extra["Retry-After"] = str(RETRY_AFTER_SECONDS if wait is None else math.ceil(wait))
    return Response(orjson.dumps(body), status, extra, "application/json")
