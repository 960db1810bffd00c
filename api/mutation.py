"""A request that changes something: one transaction, one Idempotency-Key, one answer however often it is sent."""

import hashlib
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Annotated, Any
from uuid import uuid4

import orjson
from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.datastructures import UploadFile

from api import starts
from api.dependencies import Needs, authenticate, given_resources
from api.faults import InvalidParameter
from api.resources import ApiResources
from domain.auth.repeat_store import KeptAnswer, claim, keep

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_HEADER = "Idempotency-Key"
_START = "x-start"
"""Kept beside the answer and never sent: what is to be started in Temporal once the rows are there."""

_KEPT_HEADERS = ("content-type", "location")

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


@dataclass(slots=True)
class Unit:
    """What a route does inside its transaction.

    start: started after the commit, and again by every repeat, so that a crash in between loses nothing.
    unsaid: fields of the answer that are shown once and stored nowhere.
    """

    session: AsyncSession
    start: starts.Start | None = None
    unsaid: frozenset[str] = field(default_factory=frozenset)


async def _unit(request: Request) -> Unit:
    unit: Unit = request.scope["state"]["unit"]
    return unit


Work = Annotated[Unit, Depends(_unit)]


def idempotency_key(request: Request, resources: ApiResources, *, vendor: bool = False) -> str:
    """The caller's key, or a new one where none is required. Raises InvalidParameter.

    vendor: for endpoints whose clients are not ours and cannot be made to send one.
    """
    given = request.headers.get(_HEADER)
    if given is None:
        if resources.require_idempotency_key and not vendor:
            raise InvalidParameter("this server requires the header on every change", parameter=_HEADER)
        return uuid4().hex
    if not _KEY.fullmatch(given):
        raise InvalidParameter("1 to 255 visible ASCII characters, no spaces", parameter=_HEADER)
    return given


class MutationRoute(APIRoute):
    """Claims the key, runs the route and keeps its answer in one transaction. Failures leave no trace."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()
        permission = _permission(self)

        async def once(request: Request) -> Response:
            resources = given_resources(request)
            principal = await authenticate(request)
            principal.require(permission.permission)
            key = idempotency_key(request, resources)
            made = f"{request.method} {request.url.path}?{request.url.query} by {principal.key_id}"
            try:
                body_hash = await _fingerprint(request)
                async with resources.database.session(principal.org_id) as session:
                    known = await claim(session, principal.org_id, key, made, body_hash)
                    if known is None:
                        response, start = await _run(handle, request, session, key)
                    else:
                        response, start = _repeat(known)
            finally:
                await request.close()  # an uploaded file that the route never read
            if start is not None:
                await starts.begin(resources, principal, start)
            response.headers[_HEADER] = key
            return response

        return once


async def _run(
    handle: Handler, request: Request, session: AsyncSession, key: str
) -> tuple[Response, starts.Start | None]:
    unit = request.scope["state"]["unit"] = Unit(session)
    response = await handle(request)
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    if unit.start is not None:
        headers[_START] = starts.dump(unit.start)
    body = bytes(response.body)
    if unit.unsaid:
        body = orjson.dumps(orjson.loads(body) | dict.fromkeys(unit.unsaid))
    await keep(session, key, KeptAnswer(response.status_code, headers, body))
    return response, unit.start


def _repeat(known: KeptAnswer) -> tuple[Response, starts.Start | None]:
    headers = dict(known.headers)
    start = headers.pop(_START, None)
    response = Response(known.body, known.status, headers)
    if known.status == 204:
        del response.headers["content-length"]
    response.headers["Idempotency-Replayed"] = "true"
    return response, starts.load(start) if start is not None else None


def _permission(route: APIRoute) -> Needs:
    found = [d.call for d in route.dependant.dependencies if isinstance(d.call, Needs)]
    if not found:
        raise TypeError(f"{route.path} changes something, so its signature must name a permission")
    return found[0]


async def _fingerprint(request: Request) -> str:
    """Two requests that say the same have the same; a multipart boundary says nothing."""
    digest = hashlib.sha256()
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        # Starlette keeps the parsed form on the request, so the route reads this one.
        form = await request.form(max_files=200, max_fields=10)
        for name, value in form.multi_items():
            said = value.filename if isinstance(value, UploadFile) else value
            digest.update(repr((name, said)).encode("utf-8", "backslashreplace"))
            if isinstance(value, UploadFile):
                while piece := await value.read(1 << 20):
                    digest.update(piece)
                await value.seek(0)
    else:
        digest.update(await request.body())
    return digest.hexdigest()
