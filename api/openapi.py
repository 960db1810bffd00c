"""What the OpenAPI document says beyond the routes: the key, the headers and the two error formats."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api import problems

DESCRIPTION = """\
AI agents as durable Temporal workflows: every turn finishes.

**Keys.** `Authorization: Bearer ev_…` or `X-API-Key`. A revoked key works for at most five seconds more.

**Errors.** RFC 9457 `application/problem+json`; `GET /problems/{code}` says what a `type` means. `/v1/models` and
`/v1/chat/completions` answer in OpenAI's envelope. A bad request changes nothing.

**Repeating.** Every change takes an `Idempotency-Key`; without one, one is made and sent back. The same key and
request again get the same answer, with `Idempotency-Replayed: true`; another request under it is refused.

**Following.** `X-Request-ID` (up to 128 of `A-Z a-z 0-9 . _ : / + = -`) is kept or made, and sent back.

**Lists.** `limit` and `cursor`; pass `next_cursor` on until it is null.
"""

_PUBLIC = ("/health", "/ready", "/metrics", "/problems")
_KEY_HEADER = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "1 to 255 visible ASCII characters. Made and sent back when absent.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}
_OPENAI_ERROR = {
    "type": "object",
    "title": "OpenAIError",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": "string"},
                "request_id": {"type": "string"},
            },
        }
    },
}


def describe(app: FastAPI) -> None:
    """Let the app tell of itself; made once, at the first question."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes)
            app.openapi_schema = _complete(schema)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's own way of extending the document


def _complete(schema: dict[str, Any]) -> dict[str, Any]:
    components = schema.setdefault("components", {})
    components.setdefault("schemas", {}).update(Problem=problems.SCHEMA, OpenAIError=_OPENAI_ERROR)
    for unused in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(unused, None)
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "ev_…"},
        "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    for path, method, operation in _operations(schema):
        for status, response in operation["responses"].items():
            _drop_framework_error(status, response)
        if path.startswith(_PUBLIC):
            continue
        operation["security"] = [{"bearer": []}, {"header": []}]
        if method != "get" and not path.endswith("/search"):
            operation.setdefault("parameters", []).append(_KEY_HEADER)
    return schema


def _drop_framework_error(status: str, response: dict[str, Any]) -> None:
    """FastAPI documents its own validation errors, which are never sent here."""
    reference = response.get("content", {}).get("application/json", {}).get("schema", {}).get("$ref", "")
    if status == "422" and reference.endswith("HTTPValidationError"):
        response["content"] = {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}


def _operations(schema: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in schema["paths"].items():
        for method, operation in item.items():
            yield path, method, operation
