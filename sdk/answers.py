"""From what the server answered, or did not, to the client's errors."""

import json

import httpx2

from sdk.errors import ApiProblem, Unreachable


def problem(status: int, body: bytes) -> ApiProblem:
    """Reads application/problem+json; anything else (a proxy's page) becomes a problem with its status only."""
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        return ApiProblem(status=status, code=f"http_{status}", detail=f"the server answered HTTP {status}")
    detail = str(document.get("detail") or document.get("title") or f"the server answered HTTP {status}")
    places = [str(fault.get("pointer")) for fault in document.get("errors") or [] if isinstance(fault, dict)]
    return ApiProblem(
        status=status,
        code=str(document.get("code") or "") or f"http_{status}",
        detail=f"{detail} ({', '.join(places)})" if places else detail,
        request_id=document.get("request_id"),
    )


def lost(http: httpx2.AsyncClient, error: Exception) -> Unreachable:
    """One line that says where nothing answered."""
    reason = str(error) or type(error).__name__
    return Unreachable(f"{http.base_url} does not answer: {reason}")
