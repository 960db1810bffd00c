"""Parked turns: told to try again now. Not for finding them: that is `attention` of a conversation."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from api import one_shot
from api.dependencies import Resources, needs
from api.mutation import idempotency_key
from api.responses import errors
from contracts import ids
from domain.auth.principal import Principal
from domain.conversations import store

router = APIRouter(prefix="/v1/conversations", tags=["conversations"])

Writer = Annotated[Principal, needs("conversations:write")]


class Retried(BaseModel):
    """What the turn waited for. pause: the how manieth it was, from 1."""

    conversation_id: UUID
    code: str
    since: datetime
    until: datetime
    pause: int


@router.post("/{conversation_id}/retry", status_code=202, responses=errors(404, 409))
async def retry_turn(
    principal: Writer, resources: Resources, request: Request, response: Response, conversation_id: UUID
) -> Retried:
    """End the pause of a parked turn: it tries to answer at once. 409 when no turn is parked."""
    key = idempotency_key(request, resources)
    response.headers["Idempotency-Key"] = key
    async with resources.database.session(principal.org_id) as session:
        row = await store.get_conversation(session, conversation_id)
    run_id = ids.conversation_workflow_id(row.id)
    if row.kind == "one_shot":
        run_id = ids.turn_workflow_id(one_shot.turn_id_of(row.id))
    waited = await resources.temporal.retry_turn(run_id, f"retry {key}")
    return Retried(conversation_id=row.id, **waited.model_dump())
