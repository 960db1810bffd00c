"""What is said to a running conversation, and what it answers."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from contracts.model import Contract
from contracts.turn import IncomingMessage

MAX_MESSAGE_CHARS = 32_000
"""A message is a question, not a document (8,000 tokens is half of a small model's window);
longer texts are uploaded. Keeps a full inbox far below Temporal's 2 MB payload limit."""

MAX_WAITING = 20
"""Messages waiting behind a running turn. A person types one in seconds; more is a loop or an attack."""


KNOWN_MESSAGES = 100
"""Messages that are remembered across continue-as-new. A repetition comes within seconds, and an older one
is found in the database before it gets here."""


class ConversationInput(Contract):
    """Starts (or restarts after idling, or continues as new) the single writer of a conversation.

    turns_per_run: continue as new after so many. A turn is some 25 events and an update; Temporal
    ends a workflow at 51,200 events and takes 2,000 updates a run, and a short history replays fast.
    known: the latest messages of the run before, oldest first, whose repetition is not a new message.
    """

    org_id: UUID
    conversation_id: UUID
    agent_version_id: UUID
    idle_seconds: int = 600
    turns_per_run: int = 200
    waiting: list[IncomingMessage] = Field(default_factory=list)
    turns_done: int = 0
    known: list[UUID] = Field(default_factory=list)


class PostMessage(Contract):
    """The message id is made by the caller, so that a repeated update stores one message."""

    message: IncomingMessage


class MessageAccepted(Contract):
    """position: 0 when the message starts or joins the running turn, else how many wait before it."""

    message_id: UUID
    position: int


class CloseConversation(Contract):
    reason: str = "closed"


class CloseInput(Contract):
    org_id: UUID
    conversation_id: UUID
    reason: str


class ConversationClosed(Contract):
    turns_done: int


class RetryNow(Contract):
    """Try to answer a parked turn at once, instead of when its pause is over."""


class ParkedState(Contract):
    """A turn that nobody can answer now. code: why; until: when it is tried again; pause: the how manieth, from 1."""

    code: str
    since: datetime
    until: datetime
    pause: int


class ConversationState(Contract):
    """Answer of the `state` query, for operators and the runs API."""

    state: str
    step: str
    turn_id: UUID | None = None
    turns_done: int = 0
    waiting: int = 0
    parked: ParkedState | None = None
