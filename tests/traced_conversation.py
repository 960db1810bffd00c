"""The smallest long-lived workflow that works as a conversation does, for the tests of telemetry."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts import stubs
    from contracts import turn as t
    from contracts.conversation import ConversationInput, MessageAccepted, PostMessage


@workflow.defn
class TracedConversation:
    """Handlers only append; one main coroutine runs the turns, and ends after the second."""

    def __init__(self) -> None:
        self._waiting: list[t.IncomingMessage] = []

    @workflow.run
    async def run(self, input: ConversationInput) -> int:
        for number in (1, 2):
            await workflow.wait_condition(lambda: bool(self._waiting))
            message = self._waiting.pop(0)
            ref = t.TurnRef(
                org_id=input.org_id,
                conversation_id=input.conversation_id,
                turn_id=workflow.uuid4(),
                agent_version_id=input.agent_version_id,
            )
            await workflow.execute_local_activity(
                stubs.prepare,
                t.PrepareInput(ref=ref, messages=[message], text=message.text),
                start_to_close_timeout=timedelta(seconds=10),
            )
            await workflow.execute_activity(
                stubs.reply,
                t.ReplyInput(ref=ref, number=number, step=1, text=message.text, route=t.Route()),
                start_to_close_timeout=timedelta(seconds=10),
            )
        return 2

    @workflow.update
    async def post_message(self, input: PostMessage) -> MessageAccepted:
        self._waiting.append(input.message)
        return MessageAccepted(message_id=input.message.id, position=0)
