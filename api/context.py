"""The outermost layer of the API: request ids, body limits, the time of each request, and the last resort.

Plain ASGI: Starlette's BaseHTTPMiddleware adds a task and a queue to every request, streams included.
"""

import re
import time
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import openai_errors, problems
from domain.conversations.attachment import MOST_BYTES
from runtime.metrics import Metrics

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
_UPLOAD = re.compile(r"POST /v1/collections/[^/]+/(?:documents|archives)|PUT /v1/documents/[^/]+/content")
_ATTACHING = re.compile(r"POST /v1/(?:conversations/[^/]+/messages|chat/completions)")
_ATTACHED_BYTES = MOST_BYTES * 4 // 3 + 10_000
"""Images and files of a message in base64, with their names."""
_MULTIPART_BYTES = 100_000
"""What the multipart envelope and its other fields may add to a file."""

_PATIENCE = 4
"""Times the limit that is read and thrown away, so that the client gets to read why: most send all of a
body before they look at the answer, and a connection that is closed on them loses it."""

_log = structlog.stdlib.get_logger(__name__)


class RequestContext:
    """Wraps the whole app. A request id that a caller sends is kept when it is plain and short."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, max_body_bytes: int, max_upload_bytes: int) -> None:
        self._app = app
        self._metrics = metrics
        self._max_body_bytes = max_body_bytes
        self._max_upload_bytes = max_upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        started = time.perf_counter()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, self._limited(scope, headers, receive), send_with_id)
            except Exception as error:  # noqa: BLE001  handed on below
                # The last resort: whatever nobody foresaw is logged whole and told without a word of it.
                await self._give_up(scope, receive, send_with_id, error, started=status != 0)
        if scope["type"] == "http":
            self._metrics.http_requests_seconds.labels(scope["method"], _template(scope), str(status or 500)).observe(
                time.perf_counter() - started
            )

    async def _give_up(self, scope: Scope, receive: Receive, send: Send, error: Exception, *, started: bool) -> None:
        problem = problems.translate(error)
        if problem.fault.status == 500:
            _log.exception("unforeseen error", path=scope["path"])
        if scope["type"] != "http" or started:
            raise error
        await answer(HTTPConnection(scope), problem)(scope, receive, send)

    def _limited(self, scope: Scope, headers: Headers, receive: Receive) -> Receive:
        """receive, but it raises as soon as the body is known to be too large: by its header or by count."""
        if scope["type"] != "http":
            return receive
        limit = self._max_body_bytes
        if _UPLOAD.fullmatch(f"{scope['method']} {scope['path']}"):
            limit = self._max_upload_bytes + _MULTIPART_BYTES
        elif _ATTACHING.fullmatch(f"{scope['method']} {scope['path']}"):
            limit = self._max_body_bytes + _ATTACHED_BYTES
        given = headers.get("content-length", "")
        declared = int(given[:20]) if given.isascii() and given.isdecimal() else 0
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            if declared > limit:
                raise _too_large(hang_up=declared > limit * _PATIENCE)
            message = await receive()
            taken += len(message.get("body", b""))
            while taken > limit:
                if not message.get("more_body") or taken > limit * _PATIENCE:
                    raise _too_large(hang_up=message.get("more_body", False))
                message = await receive()
                taken += len(message.get("body", b""))
            return message

        return counted


def _too_large(*, hang_up: bool) -> HTTPException:
    return HTTPException(413, headers={"Connection": "close"} if hang_up else None)


def answer(connection: HTTPConnection, problem: problems.Problem, headers: dict[str, str] | None = None) -> Response:
    """A problem in the envelope that belongs to the path."""
    if openai_errors.speaks_openai(connection.url.path):
        return openai_errors.respond(connection, problem, headers)
    return problems.respond(connection, problem, headers)


def _template(scope: Scope) -> str:
    """The route's template: a path has ids in it, and each would be a new series."""
    route = scope.get("route")
    path = getattr(route, "path", None)
    return path if isinstance(path, str) else "(none)"
