"""The endpoints that every OpenAI client knows: an agent is a model. Errors come in OpenAI's envelope.

Each call is a turn of its own with the history that the caller brings; it ends also when the caller leaves.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Annotated, Literal
from uuid import UUID, uuid4, uuid5

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel

from api import one_shot
from api.attached import Attached
from api.dependencies import Reading, Resources, needs
from api.faults import ModelNotFound
from api.mutation import idempotency_key
from api.openai_chat import Answer, ChatRequest
from api.patience import Patience
from api.resources import ApiResources
from api.responses import openai_errors as errors
from api.stream import Stream
from api.texts import KeepableText
from contracts import ids
from contracts.turn import OneShotInput
from domain.agents import store as agents
from domain.agents.store import CurrentAgent
from domain.auth.principal import Principal
from domain.conversations import store as conversations
from domain.errors import IdempotencyKeyReused, NotFound, ProviderUnavailable

router = APIRouter(prefix="/v1", tags=["openai"])

Reader = Annotated[Principal, needs("agents:read")]
Writer = Annotated[Principal, needs("conversations:write")]
ModelName = Annotated[KeepableText, Path(max_length=200)]
_LISTED = 1000
"""OpenAI's list has no pages; more agents than this are reached by name."""


class Model(BaseModel):
    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "everturn"


class ModelList(BaseModel):
    object: Literal["list"] = "list"
    data: list[Model]


@dataclass(frozen=True, slots=True)
class _Asked:
    org_id: UUID
    turn: OneShotInput
    body: ChatRequest
    key: str

    def answer(self) -> Answer:
        return Answer(self.turn.ref.turn_id, self.body.model)


@router.get("/models", responses=errors())
async def list_models(_principal: Reader, session: Reading) -> ModelList:
    """Every agent is a model, by its name."""
    return ModelList(data=[_model(one) for one in await agents.list_agents(session, limit=_LISTED)])


@router.get("/models/{model}", responses=errors(404))
async def get_model(_principal: Reader, session: Reading, model: ModelName) -> Model:
    """An agent by its name or id."""
    try:
        return _model(await agents.find_agent(session, model))
    except NotFound as error:
        raise _no_model(model) from error


@router.post(
    "/chat/completions",
    responses={
        **errors(400, 404, 413),
        200: {
            "description": "A chat.completion, or with `stream` its chunks; citations are in `citations`.",
            "content": {
                "application/json": {"schema": {"type": "object"}},
                "text/event-stream": {"schema": {"type": "string"}},
            },
        },
    },
    response_class=Response,
)
async def create_chat_completion(
    principal: Writer, resources: Resources, request: Request, body: ChatRequest
) -> Response:
    """Answer the last message. With an Idempotency-Key, the same request again gets the same answer."""
    given = "idempotency-key" in request.headers
    key = idempotency_key(request, resources, vendor=True)
    asked = await _lay_down(
        resources, principal, body, key, uuid5(principal.org_id, f"chat {key}") if given else uuid4()
    )
    headers = {"Idempotency-Key": key}
    if body.stream:
        return Stream(_chunks(resources, asked), headers)
    answer = await _completed(resources, asked, keep=given)
    return Response(answer, headers=headers, media_type="application/json")


async def _lay_down(
    resources: ApiResources, principal: Principal, body: ChatRequest, key: str, conversation_id: UUID
) -> _Asked:
    text, came = body.question(), Attached.given(body.attached(), pointer="/messages")
    said = hashlib.sha256(body.model_dump_json(exclude={"stream", "stream_options"}).encode()).hexdigest()
    async with resources.database.session(principal.org_id) as session:
        known = await conversations.find_conversation(session, conversation_id)
        if known is not None:
            if known.labels.get("request_sha256") != said:
                raise IdempotencyKeyReused("this Idempotency-Key was used for another request; choose a new one")
            turn = one_shot.input_of(
                principal.org_id, conversation_id, known.agent_version_id, text, principal.key_id, came.refs
            )
        else:
            try:
                agent = await agents.find_agent(session, body.model)
            except NotFound as error:
                raise _no_model(body.model) from error
            labels = {"request_sha256": said, "channel": "openai"}
            turn = await one_shot.lay_down(
                session,
                conversation_id,
                agent,
                body.history(),
                text,
                api_key_id=principal.key_id,
                labels=labels,
                attachments=came.refs,
            )
    await came.keep(resources, principal.org_id, conversation_id, turn.messages[0].id)
    return _Asked(principal.org_id, turn, body, key)


async def _completed(resources: ApiResources, asked: _Asked, *, keep: bool) -> bytes:
    """keep: the caller can ask for the answer again, so a turn that is parked goes on without them.

    Raises ProviderUnavailable when it is parked for longer than a caller waits.
    """
    answer, patience = asked.answer(), Patience()
    async with resources.hub.subscribe(asked.org_id, asked.turn.ref.conversation_id, 0) as events:
        await asyncio.shield(resources.temporal.start_turn(asked.turn))
        try:
            while not answer.ended:
                answer.take(await patience.next(events, answer))
        except ProviderUnavailable:
            if not keep:
                await resources.temporal.cancel(asked.org_id, ids.turn_workflow_id(asked.turn.ref.turn_id))
            raise
    return answer.completion_json()


async def _chunks(resources: ApiResources, asked: _Asked) -> AsyncGenerator[bytes, None]:
    answer = asked.answer()
    usage = asked.body.stream_options is not None and asked.body.stream_options.include_usage
    async with resources.hub.subscribe(asked.org_id, asked.turn.ref.conversation_id, 0) as events:
        # Shielded: a caller who leaves at once has asked all the same.
        await asyncio.shield(resources.temporal.start_turn(asked.turn))
        yield answer.opening()
        while not answer.ended:
            text = answer.take(await events.next())
            if text:
                yield answer.piece(text)
            elif answer.parked_until is not None:
                yield answer.parked()
        yield answer.closing(usage=usage)


def _model(current: CurrentAgent) -> Model:
    return Model(id=current.agent.name, created=int(current.agent.created_at.timestamp()))


def _no_model(model: str) -> ModelNotFound:
    return ModelNotFound(f"no such model: {model[:100]}", pointer="/model")
