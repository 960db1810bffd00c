"""A conversation: one long-lived workflow that is its single writer.

Handlers only append to a queue; one coroutine runs the turns in order. Not for how a turn is
answered: that is `turn.py`.
"""

import asyncio
from collections import deque
from datetime import timedelta
from uuid import UUID

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from contracts import failures, ids, options, stubs
from contracts.conversation import (
    KNOWN_MESSAGES,
    MAX_MESSAGE_CHARS,
    MAX_WAITING,
    CloseConversation,
    CloseInput,
    ConversationClosed,
    ConversationInput,
    ConversationState,
    MessageAccepted,
    ParkedState,
    PostMessage,
    RetryNow,
)
from contracts.turn import IncomingMessage, TurnRef
from workflows.turn import Turn, end_pause, refuse_unless_parked


@workflow.defn(name="ConversationWorkflow")
class ConversationWorkflow:
    """Started by its first message, closed by hand, asleep (completed) after idling; the next message wakes it."""

    @workflow.init
    def __init__(self, input: ConversationInput) -> None:
        self._input = input
        self._queue: deque[IncomingMessage] = deque(input.waiting)
        # A dict for its order: the latest are remembered when this run continues as another.
        self._known: dict[UUID, None] = dict.fromkeys([*input.known, *(message.id for message in input.waiting)])
        self._closing: str | None = None
        self._idle = False
        self._turn: Turn | None = None
        self._turns_done = input.turns_done
        self._turns_here = 0
        self._step = "waiting for a message"
        self._last_active = workflow.time()

    @workflow.run
    async def run(self, input: ConversationInput) -> ConversationClosed:
        watch = asyncio.create_task(self._watch_idleness())
        while True:
            await workflow.wait_condition(lambda: bool(self._queue) or self._closing is not None or self._idle)
            if self._queue:
                await self._run_turn()
            elif self._closing is not None:
                await self._close(self._closing)
                break
            elif self._idle:
                break
            if self._run_is_long():
                await self._continue()
        watch.cancel()
        await workflow.wait_condition(workflow.all_handlers_finished)
        if self._queue:  # a message slipped in while the conversation was going to sleep
            await self._continue()
        return ConversationClosed(turns_done=self._turns_done)

    @workflow.update
    async def post_message(self, post: PostMessage) -> MessageAccepted:
        """Append to the queue. The same message twice is one message."""
        if post.message.id not in self._known:
            self._known[post.message.id] = None
            self._queue.append(post.message)
            self._idle = False
            self._last_active = workflow.time()
        return MessageAccepted(message_id=post.message.id, position=max(0, len(self._queue) - 1))

    @post_message.validator
    def check_message(self, post: PostMessage) -> None:
        """Refuse before history: nothing that is refused here leaves a trace or costs a step."""
        if self._closing is not None:
            raise ApplicationError("this conversation is closed", type="conversation_closed", non_retryable=True)
        if len(self._queue) >= MAX_WAITING:
            raise ApplicationError("too many messages are waiting", type="inbox_full", non_retryable=True)
        if not post.message.text.strip():
            raise ApplicationError("the message is empty", type=failures.INVALID_INPUT, non_retryable=True)
        if len(post.message.text) > MAX_MESSAGE_CHARS:
            raise ApplicationError("the message is too long", type="too_large", non_retryable=True)

    @workflow.update
    async def close(self, close: CloseConversation) -> ConversationClosed:
        """Take no more messages; turns already accepted are still answered."""
        self._closing = self._closing or close.reason
        return ConversationClosed(turns_done=self._turns_done)

    @workflow.update
    async def retry_now(self, retry: RetryNow) -> ParkedState:
        """End the pause of a parked turn. Answers what it waited for."""
        return end_pause(self._turn)

    @retry_now.validator
    def check_retry(self, retry: RetryNow) -> None:
        refuse_unless_parked(self._turn)

    @workflow.query
    def state(self) -> ConversationState:
        return ConversationState(
            state="closing" if self._closing is not None else "open",
            step=self._step,
            turn_id=None if self._turn is None else self._turn.ref.turn_id,
            turns_done=self._turns_done,
            waiting=len(self._queue),
            parked=None if self._turn is None else self._turn.parked(),
        )

    # What a running turn may know of this conversation.

    def waiting(self) -> bool:
        return bool(self._queue)

    def take(self) -> list[IncomingMessage]:
        taken = list(self._queue)
        self._queue.clear()
        return taken

    async def _run_turn(self) -> None:
        messages = self.take()
        ref = TurnRef(
            org_id=self._input.org_id,
            conversation_id=self._input.conversation_id,
            turn_id=ids.turn_id(messages[0].id),
            agent_version_id=self._input.agent_version_id,
        )
        self._turn = Turn(ref, self, self._tell)
        await self._turn.run(messages)
        self._turns_done += 1
        self._turns_here += 1
        self._turn = None
        self._last_active = workflow.time()
        self._tell("waiting for a message")

    async def _close(self, reason: str) -> None:
        await workflow.execute_local_activity(
            stubs.close_conversation,
            CloseInput(org_id=self._input.org_id, conversation_id=self._input.conversation_id, reason=reason),
            summary="close the conversation",
            **options.STEP,
        )

    def _run_is_long(self) -> bool:
        return self._turns_here >= self._input.turns_per_run or workflow.info().is_continue_as_new_suggested()

    async def _continue(self) -> None:
        """Begin a fresh history at a turn boundary, taking along what waits."""
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(
            self._input.model_copy(
                update={
                    "waiting": list(self._queue),
                    "turns_done": self._turns_done,
                    "known": list(self._known)[-KNOWN_MESSAGES:],
                }
            )
        )

    async def _watch_idleness(self) -> None:
        """One timer at a time for the whole conversation, instead of one set and cancelled a turn."""
        while True:
            rest = self._last_active + self._input.idle_seconds - workflow.time()
            if rest <= 0:
                self._idle = self._turn is None and not self._queue
                await workflow.wait_condition(lambda: not self._idle)
                rest = self._input.idle_seconds
            await workflow.sleep(timedelta(seconds=rest), summary="go to sleep when nobody writes")

    def _tell(self, step: str) -> None:
        self._step = step
        workflow.set_current_details(f"Now {step}.\n\n{self._turns_done} turns done, {len(self._queue)} messages wait.")
