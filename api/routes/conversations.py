"""Conversations: made, listed, read and closed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field

from api.dependencies import Reading, Resources, needs
from api.mutation import MutationRoute, Work, idempotency_key
from api.pagination import Cursor, Limit, Page, cursor_of, number_after, number_cursor, page_after, page_of
from api.responses import errors
from api.routes.agents import working
from api.texts import RequestModel
from contracts.conversation import ConversationInput
from db.tables.attachments import MessageAttachment
from db.tables.conversations import Conversation, Message
from domain.agents import store as agents
from domain.auth.principal import Principal
from domain.conversations import attachment_store, parking_store, store
from domain.conversations.attachment import MOST, attachment_key
from domain.conversations.parking_store import Attention

router = APIRouter(prefix="/v1/conversations", tags=["conversations"])
changes = APIRouter(prefix="/v1/conversations", tags=["conversations"], route_class=MutationRoute)

Reader = Annotated[Principal, needs("conversations:read")]
Writer = Annotated[Principal, needs("conversations:write")]
Label = Annotated[str, Field(max_length=500)]


class ConversationOut(BaseModel):
    """state closing: no message is taken any more, and those accepted before are still answered.

    attention: its turn is parked, or was handed over to a person (docs/outages.md).
    """

    id: UUID
    agent_id: UUID
    agent_version_id: UUID
    kind: Literal["conversation", "one_shot"]
    state: Literal["open", "closing", "closed"]
    title: str
    labels: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    closed_at: datetime | None
    attention: Attention | None = None


class NewConversation(RequestModel):
    agent_id: UUID
    title: Annotated[str, Field(max_length=300)] = ""
    labels: Annotated[dict[Annotated[str, Field(max_length=100)], Label], Field(max_length=50, default_factory=dict)]


class Closing(RequestModel):
    reason: Annotated[str, Field(min_length=1, max_length=300)] = "closed"


class AttachmentOut(BaseModel):
    """size in bytes. url: where its content is, with the same key."""

    name: str
    media_type: str
    size: int
    url: str


class MessageOut(BaseModel):
    """client_key: the Idempotency-Key that the message was posted with."""

    id: UUID
    conversation_id: UUID
    turn_id: UUID | None
    position: int
    role: Literal["user", "assistant"]
    text: str
    citations: list[dict[str, Any]]
    client_key: str | None
    attachments: list[AttachmentOut] = []
    created_at: datetime


@changes.post("", status_code=201, responses=errors(400, 404, 409, 413))
async def create_conversation(
    principal: Writer, work: Work, new: NewConversation, response: Response
) -> ConversationOut:
    """Open a conversation on the agent's current version."""
    agent = working(await agents.get_agent(work.session, new.agent_id))
    made = await store.create_conversation(
        work.session,
        uuid4(),
        principal.org_id,
        agent.agent.id,
        agent.version.id,
        title=new.title,
        labels=dict(new.labels),
    )
    response.headers["Location"] = f"/v1/conversations/{made.id}"
    return _show(made)


@router.get("", responses=errors())
async def list_conversations(
    _principal: Reader,
    session: Reading,
    cursor: Cursor = None,
    limit: Limit = 50,
    agent_id: Annotated[UUID | None, Query()] = None,
    state: Annotated[Literal["open", "closed"] | None, Query()] = None,
    attention: Annotated[Attention | None, Query(description="Only those that an operator should look at.")] = None,
    kind: Annotated[Literal["conversation", "one_shot"], Query()] = "conversation",
) -> Page[ConversationOut]:
    """Newest first. one_shot are the turns of callers that bring their own history."""
    rows = await store.list_conversations(
        session,
        kind=kind,
        agent_id=agent_id,
        state=state,
        attention=attention,
        after=page_after(cursor),
        limit=limit + 1,
    )
    needing = await parking_store.attention(session, [row.id for row in rows])

    def show(row: Conversation) -> ConversationOut:
        return _show(row, attention=needing.get(row.id))

    return page_of(rows, limit, show, lambda row: cursor_of(row.created_at, row.id))


@router.get("/{conversation_id}", responses=errors(404))
async def get_conversation(_principal: Reader, session: Reading, conversation_id: UUID) -> ConversationOut:
    row = await store.get_conversation(session, conversation_id)
    return _show(row, attention=(await parking_store.attention(session, [row.id])).get(row.id))


@router.get("/{conversation_id}/messages", responses=errors(404))
async def list_messages(
    _principal: Reader, session: Reading, conversation_id: UUID, cursor: Cursor = None, limit: Limit = 50
) -> Page[MessageOut]:
    """Oldest first. A message appears here when its turn begins."""
    rows = await store.list_messages(session, conversation_id, after=number_after(cursor) or 0, limit=limit + 1)
    came = await attachment_store.of_messages(session, [row.id for row in rows])
    return page_of(
        rows, limit, lambda row: _show_message(row, came.get(row.id, [])), lambda row: number_cursor(row.position)
    )


@router.get(
    "/{conversation_id}/messages/{message_id}/attachments/{number}",
    responses={**errors(404), 200: {"content": {"application/octet-stream": {}}, "description": "Its bytes."}},
    response_class=Response,
)
async def get_attachment(
    principal: Reader,
    session: Reading,
    resources: Resources,
    conversation_id: UUID,
    message_id: UUID,
    number: Annotated[int, Path(ge=1, le=MOST)],
) -> Response:
    """An image or a file that came with a message, as it was given."""
    row = await attachment_store.find(session, conversation_id, message_id, number)
    data = await resources.storage.get(principal.org_id, attachment_key(conversation_id, row.sha256))
    # Whoever wrote it is not trusted by whoever opens it: never shown as a page of this address.
    headers = {"Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff"}
    return Response(data, headers=headers, media_type=row.media_type)


@router.post("/{conversation_id}/close", status_code=202, responses=errors(400, 404, 413))
async def close_conversation(
    principal: Writer,
    resources: Resources,
    request: Request,
    response: Response,
    conversation_id: UUID,
    closing: Closing | None = None,
) -> ConversationOut:
    """Take no more messages. Idempotent by nature: closing twice is closing once."""
    key = idempotency_key(request, resources)
    response.headers["Idempotency-Key"] = key
    async with resources.database.session(principal.org_id) as session:
        row = await store.get_conversation(session, conversation_id)
    if row.state == "closed":
        return _show(row)
    await resources.temporal.close_conversation(
        ConversationInput(
            org_id=principal.org_id, conversation_id=conversation_id, agent_version_id=row.agent_version_id
        ),
        (closing or Closing()).reason,
        f"close {key}",
    )
    async with resources.database.session(principal.org_id) as session:
        row = await store.get_conversation(session, conversation_id)
    return _show(row, closing=True)


def _show(row: Conversation, *, closing: bool = False, attention: Attention | None = None) -> ConversationOut:
    shown = ConversationOut.model_validate(row, from_attributes=True).model_copy(update={"attention": attention})
    return shown.model_copy(update={"state": "closing"}) if closing and shown.state == "open" else shown


def _show_message(row: Message, came: Sequence[MessageAttachment]) -> MessageOut:
    shown = MessageOut.model_validate(row, from_attributes=True)
    place = f"/v1/conversations/{row.conversation_id}/messages/{row.id}/attachments"
    return shown.model_copy(
        update={
            "attachments": [
                AttachmentOut(name=one.name, media_type=one.media_type, size=one.size, url=f"{place}/{one.position}")
                for one in came
            ]
        }
    )
