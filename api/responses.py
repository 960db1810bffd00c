"""How errors appear in the OpenAPI document, and the names of routes in it."""

from typing import Any

from fastapi.routing import APIRoute

from api import problems

_MEANINGS = {
    400: "The body cannot be read.",
    401: "No API key, or not a valid one.",
    403: "The API key lacks the permission.",
    404: "There is nothing with this id, or it belongs to somebody else.",
    409: "The present state does not allow it.",
    413: "The body is too large.",
    415: "Not a kind of file that is read here.",
    422: "Not valid; `errors` says where.",
    429: "Too much at once; try again later.",
    503: "Postgres or Temporal does not answer; try again.",
}

ALWAYS = (401, 403, 422, 503)


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The documented errors of a route: these, and those that every route may answer with."""
    return {
        status: {
            "description": _MEANINGS[status],
            "content": {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in sorted({*statuses, *ALWAYS})
    }


def operation_id(route: APIRoute) -> str:
    """The function's own name: generated clients call it like this."""
    return route.name


def openai_errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """As `errors`, for endpoints that answer in OpenAI's envelope, which says 400 for what ours calls 422."""
    return {
        status: {
            "description": _MEANINGS[status],
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/OpenAIError"}}},
        }
        for status in sorted({*statuses, 400, 401, 403, 503})
    }
