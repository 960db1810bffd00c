"""Posting a message. No transaction and no kept answer: the conversation's workflow is the one writer."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import AfterValidator, BaseModel, Field

from api.attached import Attached
from api.dependencies import Resources, needs
from api.mutation import idempotency_key
from api.posting import Posting
from api.responses import errors
from api.stream import Stream
from api.texts import RequestModel
from contracts.conversation import MAX_MESSAGE_CHARS
from domain.auth.principal import Principal
from domain.conversations.attachment import MOST, MOST_NAME, from_data_url

router = APIRouter(prefix="/v1/conversations", tags=["conversations"])

Writer = Annotated[Principal, needs("conversations:write")]


def _written(text: str) -> str:
    if not text.strip():
        raise ValueError("the message is empty")
    return text


MessageText = Annotated[str, Field(min_length=1, max_length=MAX_MESSAGE_CHARS), AfterValidator(_written)]


class NewAttachment(RequestModel):
    """url: the content itself, as a data: URL. Images (PNG, JPEG, GIF, WebP), PDF and text."""

    url: Annotated[str, Field(pattern="^data:", examples=["data:text/plain;base64,SGVsbG8="])]
    name: Annotated[str, Field(max_length=MOST_NAME)] = ""


class NewMessage(RequestModel):
    text: Annotated[MessageText, Field(examples=["How long may I return an item?"])]
    attachments: Annotated[list[NewAttachment], Field(max_length=MOST, default_factory=list)]

    def attached(self) -> Attached:
        """Raises Invalid, TooLarge."""
        given = [
            from_data_url(one.url, name=one.name, pointer=f"/attachments/{place}/url")
            for place, one in enumerate(self.attachments)
        ]
        return Attached.given(given, pointer="/attachments")


class MessageTaken(BaseModel):
    """position: how many messages wait before this one; 0 when it starts or joins the running turn."""

    conversation_id: UUID
    message_id: UUID
    position: int
    replayed: bool = False


def posting(request: Request) -> Posting:
    door: Posting = request.app.state.posting
    return door


@router.post(
    "/{conversation_id}/messages",
    status_code=202,
    response_model=MessageTaken,
    responses={
        **errors(400, 404, 409, 413, 429),
        200: {
            "description": "With `Accept: text/event-stream`: the events from this message on, until its turn ends.",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
    },
)
async def post_message(
    principal: Writer,
    resources: Resources,
    request: Request,
    response: Response,
    conversation_id: UUID,
    new: NewMessage,
) -> MessageTaken | Response:
    """Say something, with images and files for the model where wanted.

    The same Idempotency-Key and content again is the same message, and streams the same answer.
    """
    door = posting(request)
    key = idempotency_key(request, resources)
    came = Attached.given(
        [
            from_data_url(one.url, name=one.name, pointer=f"/attachments/{i}/url")
            for i, one in enumerate(new.attachments)
        ],
        pointer="/attachments",
    )
    ask = await door.prepare(principal.org_id, conversation_id, new.text, key, principal.key_id, came.refs)
    if not ask.stored:
        await came.keep(resources, principal.org_id, conversation_id, ask.message.id)
    said = {"Idempotency-Key": key} | ({"Idempotency-Replayed": "true"} if ask.stored else {})
    if "text/event-stream" in request.headers.get("accept", ""):
        return Stream(door.stream(ask), said)
    accepted = await door.post(ask)
    response.headers.update(said)
    return MessageTaken(
        conversation_id=conversation_id,
        message_id=accepted.message_id,
        position=accepted.position,
        replayed=ask.stored,
    )
