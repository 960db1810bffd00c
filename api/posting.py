"""Posting a message and following its answer, for every transport.

Not a transaction of ours: the conversation's workflow stores the message, and its Idempotency-Key is
the update's id before that and the message's `client_key` after it.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid5

from api import frames, problems
from api.faults import Unavailable
from api.temporal import Temporal
from contracts.conversation import ConversationInput, MessageAccepted
from contracts.events import CONVERSATION_CLOSED, MESSAGE_CREATED, TURN_ENDS
from contracts.turn import AttachmentRef, IncomingMessage
from db.engine import Database
from domain.conversations import store
from domain.conversations.hub import EventHub
from domain.conversations.log import LoggedEvent
from domain.conversations.store import Incoming
from domain.errors import ConversationIsClosed, IdempotencyKeyReused

_FIRST_MOMENT_SECONDS = 1.0
"""A refusal takes 10 ms and should have its own status; whoever waits longer wants to see that it lives."""

_PATIENCE_SECONDS = 60.0
"""A reader whose stream is open waits for a worker that restarts, instead of being told to try again."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A message about to be posted, and what was known of it before."""

    org_id: UUID
    conversation_id: UUID
    message: IncomingMessage
    key: str
    known: Incoming

    @property
    def stored(self) -> bool:
        """The message was taken by an earlier request with this key."""
        return self.known.message_id is not None

    @property
    def answered(self) -> bool:
        """Its turn has ended. A message that is only stored may be one whose workflow forgot it: the worker
        stores it before Temporal has the update for good, and both may die in between."""
        return self.stored and self.known.turn_state != "running"


class Posting:
    """One process's way of posting. A caller who leaves does not take the message back."""

    def __init__(self, database: Database, hub: EventHub, temporal: Temporal) -> None:
        self._database = database
        self._hub = hub
        self._temporal = temporal
        self._running: set[asyncio.Task[MessageAccepted]] = set()

    async def prepare(
        self,
        org_id: UUID,
        conversation_id: UUID,
        text: str,
        key: str,
        api_key_id: UUID | None = None,
        attachments: Sequence[AttachmentRef] = (),
    ) -> Ask:
        """One round trip. api_key_id: whose spending the answer is. attachments: to be kept before it is posted.

        Raises NotFound, ConversationIsClosed, IdempotencyKeyReused.
        """
        known = await store.read_incoming(self._database, org_id, conversation_id, key)
        message = incoming(conversation_id, key, text, api_key_id, attachments)
        if known.message_id is not None and (known.message_text != text or known.message_id != message.id):
            raise _reused()
        if known.message_id is None and known.state != "open":
            raise ConversationIsClosed("this conversation is closed")
        return Ask(org_id, conversation_id, message, key, known)

    async def post(self, ask: Ask) -> MessageAccepted:
        """Idempotent; what returns is durable.

        Raises ConversationIsClosed, InboxFull, IdempotencyKeyReused, Unavailable.
        """
        if ask.answered:
            return MessageAccepted(message_id=ask.message.id, position=0)
        accepted = await self._temporal.post_message(
            ConversationInput(
                org_id=ask.org_id,
                conversation_id=ask.conversation_id,
                agent_version_id=ask.known.agent_version_id,
            ),
            ask.message,
            ask.key,
        )
        if accepted.message_id != ask.message.id:
            raise _reused()
        return accepted

    async def stream(self, ask: Ask) -> AsyncGenerator[bytes, None]:
        """Server-sent events from this message on until the turn that answers it ends.

        Subscribes before posting, so that nothing waits on it. Until the first chunk raises as `post`.
        """
        async with self._hub.subscribe(ask.org_id, ask.conversation_id, await self._start(ask)) as events:
            answer = AnswerTo(ask.message.id)
            posting = self._spawn(ask)
            first_moment = asyncio.get_running_loop().time() + _FIRST_MOMENT_SECONDS
            opened = False
            pending = asyncio.create_task(events.next())
            try:
                while not (posting.done() or answer.ended):
                    rest = None if opened else first_moment - asyncio.get_running_loop().time()
                    await _either(posting, pending, rest)
                    ours = []
                    if pending.done():
                        ours = answer.pick(pending.result())
                        pending = asyncio.create_task(events.next())
                    if not opened and (ours or asyncio.get_running_loop().time() >= first_moment):
                        opened = True
                        yield _accepted(ask)
                    if ours:
                        yield frames.sse(ours)
                if not answer.ended and (error := posting.exception()) is not None:
                    if not opened:
                        raise error
                    yield _apology(error)
                    return
                if not opened:
                    yield _accepted(ask)
                while not answer.ended:
                    ours = answer.pick(await pending)
                    if ours:
                        yield frames.sse(ours)
                    pending = asyncio.create_task(events.next())
            finally:
                pending.cancel()

    async def _start(self, ask: Ask) -> int:
        if ask.known.turn_id is None:
            return ask.known.last_seq
        return await store.first_seq(self._database, ask.org_id, ask.conversation_id, ask.known.turn_id) - 1

    def _spawn(self, ask: Ask) -> asyncio.Task[MessageAccepted]:
        task = asyncio.create_task(self._post_patiently(ask), name="post-message")
        self._running.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[MessageAccepted]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # a caller who left will not read it

    async def _post_patiently(self, ask: Ask) -> MessageAccepted:
        deadline = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
        while True:
            try:
                return await self.post(ask)
            except Unavailable:
                if asyncio.get_running_loop().time() > deadline:
                    raise
                await asyncio.sleep(0.2)


def incoming(
    conversation_id: UUID,
    key: str,
    text: str,
    api_key_id: UUID | None = None,
    attachments: Sequence[AttachmentRef] = (),
) -> IncomingMessage:
    """Its id follows from key and content, so a repeat is the same message and another text is another one."""
    said = (hashlib.sha256(text.encode()).hexdigest(), *(f"{one.sha256} {one.name}" for one in attachments))
    made = uuid5(conversation_id, f"{key} {' '.join(said)}")
    return IncomingMessage(id=made, text=text, client_key=key, api_key_id=api_key_id, attachments=list(attachments))


class AnswerTo:
    """Picks a message's own turn out of a conversation's events."""

    def __init__(self, message_id: UUID) -> None:
        self._message_id = str(message_id)
        self._turn_id: UUID | None = None
        self.ended = False

    def pick(self, events: Iterable[LoggedEvent]) -> list[LoggedEvent]:
        return [event for event in events if self._is_ours(event)]

    def _is_ours(self, event: LoggedEvent) -> bool:
        if self.ended:
            return False
        if self._turn_id is None:
            self.ended = event.type == CONVERSATION_CLOSED
            if event.type == MESSAGE_CREATED and event.data["message_id"] == self._message_id:
                self._turn_id = event.turn_id
                return True
            return self.ended
        self.ended = event.type in TURN_ENDS and event.turn_id == self._turn_id
        return event.turn_id == self._turn_id


async def _either(
    posting: "asyncio.Task[MessageAccepted]", pending: "asyncio.Task[list[LoggedEvent]]", seconds: float | None
) -> None:
    waiting: set[asyncio.Task[MessageAccepted] | asyncio.Task[list[LoggedEvent]]] = {posting, pending}
    await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)


def _accepted(ask: Ask) -> bytes:
    said = {"conversation_id": ask.conversation_id, "message_id": ask.message.id, "idempotency_key": ask.key}
    return frames.sse_note("message.accepted", said)


def _apology(error: BaseException) -> bytes:
    problem = problems.translate(error if isinstance(error, Exception) else RuntimeError())
    return frames.sse_note("error", problems.document(problem, path="", request_id=""))


def _reused() -> IdempotencyKeyReused:
    return IdempotencyKeyReused("this Idempotency-Key was used for another message; choose a new one")
