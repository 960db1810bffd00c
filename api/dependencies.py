"""What routes ask for in their signatures: the caller, the resources, a transaction."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import Depends, Request
from sqlmodel.ext.asyncio.session import AsyncSession
from starlette.requests import HTTPConnection

from api.resources import ApiResources
from domain.auth.permissions import Permission
from domain.auth.principal import Principal
from domain.errors import Unauthenticated


def given_resources(connection: HTTPConnection) -> ApiResources:
    resources: ApiResources = connection.app.state.resources
    return resources


# Dependencies are coroutines even where nothing is awaited: FastAPI runs a plain function in a thread,
# which took a tenth of the processor time of a posted message.
async def _resources(connection: HTTPConnection) -> ApiResources:
    return given_resources(connection)


Resources = Annotated[ApiResources, Depends(_resources)]


async def authenticate(connection: HTTPConnection) -> Principal:
    """Who calls, by `Authorization: Bearer` or `X-API-Key`; asked once a request. Raises Unauthenticated."""
    known: Principal | None = connection.scope["state"].get("principal")
    if known is not None:
        return known
    key = _presented(connection)
    if key is None:
        raise Unauthenticated("send an API key as `Authorization: Bearer …`")
    principal = await given_resources(connection).authenticator.authenticate(key)
    connection.scope["state"]["principal"] = principal
    return principal


def _presented(connection: HTTPConnection) -> str | None:
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    return connection.headers.get("x-api-key")


class Needs:
    """A permission that a route names in its signature; a test finds routes without one."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    async def __call__(self, request: Request) -> Principal:
        principal = await authenticate(request)
        principal.require(self.permission)
        return principal


def needs(permission: Permission) -> Any:
    """`principal: Annotated[Principal, needs("agents:write")]`. Raises Unauthenticated, Forbidden."""
    return Depends(Needs(permission))


async def _reading(request: Request, resources: Resources) -> AsyncIterator[AsyncSession]:
    principal = await authenticate(request)
    async with resources.database.session(principal.org_id) as session:
        yield session


Reading = Annotated[AsyncSession, Depends(_reading, scope="function")]
"""The request's own transaction, ended before the response goes out."""
