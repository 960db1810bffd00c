"""A conversation over a WebSocket: events come out, messages go in.

Authenticate by header, by `?token=` (browsers cannot set headers) or by a first message
`{"type": "authenticate", "token": "ev_…"}`. Then `{"type": "resume", "resume_from": seq}` and
`{"type": "message", "text": "…", "idempotency_key": "…"}`.
"""

import asyncio
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

import orjson
from fastapi import APIRouter, Depends, Query, WebSocket
from fastapi.exceptions import RequestValidationError
from pydantic import Field, TypeAdapter, ValidationError
from starlette.websockets import WebSocketDisconnect

from api import frames, problems
from api.context import answer as denial
from api.dependencies import Needs, authenticate, given_resources
from api.faults import MalformedJson
from api.posting import Posting
from api.routes.events import MAX_SEQ
from api.routes.messages import MessageText
from api.texts import RequestModel
from domain.auth.permissions import Permission
from domain.auth.principal import Principal
from domain.conversations import store
from domain.errors import DomainError, TooLarge, Unauthenticated

router = APIRouter(prefix="/v1/conversations", tags=["events"])

_FIRST_MESSAGE_SECONDS = 10.0
"""A socket that does not say who it is holds memory; a browser on a slow line needs some seconds."""

_CLOSE_CODES = {401: 4401, 403: 4403, 404: 4404, 413: 1009}
"""4000-4999 are the application's own; these repeat the HTTP status."""


class Authenticate(RequestModel):
    type: Literal["authenticate"]
    token: Annotated[str, Field(max_length=300)]


class Resume(RequestModel):
    type: Literal["resume"]
    resume_from: Annotated[int, Field(ge=0, le=MAX_SEQ)]


class Say(RequestModel):
    type: Literal["message"]
    text: MessageText
    idempotency_key: Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,255}$")] | None = None


_SPOKEN: TypeAdapter[Authenticate | Resume | Say] = TypeAdapter(
    Annotated[Authenticate | Resume | Say, Field(discriminator="type")]
)


class SocketNeeds(Needs):
    """As Needs, for a socket: it may also say who it is in its query or in its first message."""

    async def __call__(self, websocket: WebSocket) -> Principal | None:  # type: ignore[override]
        """None when the socket was refused and is closed."""
        try:
            return await self._principal(websocket)
        except DomainError as error:
            await _refuse(websocket, error)
            return None

    async def _principal(self, websocket: WebSocket) -> Principal:
        authenticator = given_resources(websocket).authenticator
        token = websocket.query_params.get("token")
        if token is not None:
            principal = await authenticator.authenticate(token)
        elif {"authorization", "x-api-key"} & set(websocket.headers.keys()):
            principal = await authenticate(websocket)
        else:
            await websocket.accept()
            async with asyncio.timeout(_FIRST_MESSAGE_SECONDS):
                try:
                    first = _read(await websocket.receive_text())
                except (TimeoutError, KeyError) as error:
                    raise Unauthenticated("the first message must authenticate") from error
            if not isinstance(first, Authenticate):
                raise Unauthenticated("the first message must authenticate")
            principal = await authenticator.authenticate(first.token)
        principal.require(self.permission)
        return principal


def socket_needs(permission: Permission) -> Any:
    return Depends(SocketNeeds(permission))


@router.websocket("/{conversation_id}/ws")
async def converse(
    websocket: WebSocket,
    principal: Annotated[Principal | None, socket_needs("conversations:write")],
    conversation_id: UUID,
    resume_from: Annotated[int | None, Query(ge=0, le=MAX_SEQ)] = None,
) -> None:
    """Events from `resume_from` on, or else from now on."""
    if principal is None:
        return
    resources = given_resources(websocket)
    try:
        known = await store.read_incoming(resources.database, principal.org_id, conversation_id, "")
    except DomainError as error:
        await _refuse(websocket, error)
        return
    if websocket.application_state.name == "CONNECTING":
        await websocket.accept()
    line = _Line(websocket, principal, conversation_id, resources.max_body_bytes)
    try:
        line.follow(known.last_seq if resume_from is None else resume_from)
        await line.listen()
    except WebSocketDisconnect:
        return
    finally:
        await line.close()


class _Line:
    """One open socket: a pump of events, and what is heard on it."""

    def __init__(self, websocket: WebSocket, principal: Principal, conversation_id: UUID, max_bytes: int) -> None:
        self._websocket = websocket
        self._org_id = principal.org_id
        self._key_id = principal.key_id
        self._conversation_id = conversation_id
        self._max_bytes = max_bytes
        self._pump: asyncio.Task[None] | None = None

    def follow(self, after: int) -> None:
        """Begin (again) after a place in the log."""
        if self._pump is not None:
            self._pump.cancel()
        self._pump = asyncio.create_task(self._send_events(after), name="socket-events")

    async def listen(self) -> None:
        """Until the client leaves (WebSocketDisconnect)."""
        while True:
            text = await self._websocket.receive_text()
            try:
                if len(text) > self._max_bytes:
                    raise TooLarge(f"at most {self._max_bytes} characters")
                await self._heard(_read(text))
            except DomainError as error:
                await self._tell("error", problem=self._problem(problems.translate(error)))
            except RequestValidationError as error:
                await self._tell("error", problem=self._problem(problems.translate(error)))

    async def close(self) -> None:
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)

    async def _heard(self, said: Authenticate | Resume | Say) -> None:
        if isinstance(said, Resume):
            self.follow(said.resume_from)
        elif isinstance(said, Say):
            key = said.idempotency_key or uuid4().hex
            door: Posting = self._websocket.app.state.posting
            ask = await door.prepare(self._org_id, self._conversation_id, said.text, key, self._key_id)
            accepted = await door.post(ask)
            await self._tell(
                "message.accepted",
                message_id=accepted.message_id,
                position=accepted.position,
                idempotency_key=key,
                replayed=ask.stored,
            )

    async def _send_events(self, after: int) -> None:
        hub = given_resources(self._websocket).hub
        async with hub.subscribe(self._org_id, self._conversation_id, after) as events:
            async for batch in events:
                for event in batch:
                    await self._websocket.send_text(frames.as_json(frames.as_dict(event)).decode())

    async def _tell(self, kind: str, **fields: Any) -> None:
        await self._websocket.send_text(frames.as_json({"type": kind, **fields}).decode())

    def _problem(self, problem: problems.Problem) -> dict[str, Any]:
        request_id = self._websocket.scope["state"]["request_id"]
        return problems.document(problem, path=self._websocket.url.path, request_id=request_id)


def _read(text: str) -> Authenticate | Resume | Say:
    """Raises MalformedJson, RequestValidationError."""
    try:
        said = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise MalformedJson("the message is not JSON") from error
    try:
        return _SPOKEN.validate_python(said)
    except ValidationError as error:
        faulty = error.errors(include_url=False, include_input=False)
        # The tag of the union stands first in a place, and is not part of the message.
        raise RequestValidationError([{**one, "loc": ("body", *one["loc"][1:])} for one in faulty]) from error


async def _refuse(websocket: WebSocket, error: DomainError) -> None:
    """With its HTTP status while the handshake is open, else with a close code that repeats it."""
    if websocket.application_state.name == "CONNECTING":
        await websocket.send_denial_response(denial(websocket, problems.translate(error)))
    else:
        await websocket.close(_CLOSE_CODES.get(error.status, 4400), error.detail[:120])
