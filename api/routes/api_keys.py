"""API keys: made, listed and revoked. The secret is shown once, in the answer that makes the key."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from api.dependencies import Reading, needs
from api.mutation import MutationRoute, Work
from api.pagination import Cursor, Limit, Page, cursor_of, page_after, page_of
from api.responses import errors
from api.texts import RequestModel
from db.tables.auth import ApiKey
from domain.agents.config import Name
from domain.auth import store
from domain.auth.permissions import Permission
from domain.auth.principal import Principal

router = APIRouter(prefix="/v1/api-keys", tags=["api keys"])
changes = APIRouter(prefix="/v1/api-keys", tags=["api keys"], route_class=MutationRoute)

Reader = Annotated[Principal, needs("keys:read")]
Writer = Annotated[Principal, needs("keys:write")]


class ApiKeyOut(BaseModel):
    id: UUID
    name: str
    prefix: str
    permissions: list[str]
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class ApiKeyCreated(ApiKeyOut):
    """key is null when the request is repeated under its Idempotency-Key: no secret is ever stored."""

    key: str | None


class NewApiKey(RequestModel):
    name: Annotated[Name, Field(examples=["website"])]
    permissions: Annotated[list[Permission], Field(min_length=1, max_length=50)]


@changes.post("", status_code=201, responses=errors(400, 413))
async def create_api_key(principal: Writer, work: Work, new: NewApiKey, response: Response) -> ApiKeyCreated:
    """Create a key that may do what the caller's own key may do, or less."""
    for permission in new.permissions:
        principal.require(permission)
    row, text = await store.create_key(work.session, principal.org_id, new.name, new.permissions)
    work.unsaid = frozenset({"key"})
    response.headers["Location"] = f"/v1/api-keys/{row.id}"
    return ApiKeyCreated(**_show(row).model_dump(), key=text)


@router.get("", responses=errors())
async def list_api_keys(
    _principal: Reader, session: Reading, cursor: Cursor = None, limit: Limit = 50
) -> Page[ApiKeyOut]:
    """Newest first, revoked ones included."""
    rows = await store.list_keys(session, after=page_after(cursor), limit=limit + 1)
    return page_of(rows, limit, _show, lambda row: cursor_of(row.created_at, row.id))


@router.get("/{key_id}", responses=errors(404))
async def get_api_key(_principal: Reader, session: Reading, key_id: UUID) -> ApiKeyOut:
    return _show(await store.get_key(session, key_id))


@changes.delete("/{key_id}", status_code=204, responses=errors(404))
async def revoke_api_key(_principal: Writer, work: Work, key_id: UUID) -> None:
    """Revoke a key. Every process forgets it within five seconds."""
    await store.revoke_key(work.session, key_id)


def _show(row: ApiKey) -> ApiKeyOut:
    return ApiKeyOut.model_validate(row, from_attributes=True)
