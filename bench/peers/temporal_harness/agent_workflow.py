"""The agent and its model call, apart from the server because the sandbox loads this file again."""

from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.contrib.workflow_streams import WorkflowStream

with workflow.unsafe.imports_passed_through():
    import peer
    from pydantic import BaseModel
    from temporal_agent_harness.harness import AgentWorkflowRunner, agent
    from temporal_agent_harness.harness.agent_protocol import AgentConfig, MidTurn, ToolApprovalPolicy
    from temporal_agent_harness.harness.agent_protocol.agent_interface import TextReply
    from temporal_agent_harness.harness.agent_protocol.events import ReplyDelta
    from temporal_agent_harness.harness.stream_context import TurnStreamContext


class Say(BaseModel):
    """A message to answer."""

    text: str


@activity.defn
async def call_model(text: str, context: TurnStreamContext) -> str:
    """As the package's own integrations do it: publish each delta from inside the model call's activity."""
    said = []
    async with AgentWorkflowRunner.publisher_from_activity(context) as publisher:
        async for token in peer.fake_model(text):
            publisher.publish(ReplyDelta(text=token))
            said.append(token)
    return "".join(said)


@agent.defn(name="BenchAgent")
class BenchAgent:
    @agent.init
    def __init__(self, config: AgentConfig) -> None:
        self._runner = AgentWorkflowRunner(
            config, stream=WorkflowStream(), approval_policy_default=ToolApprovalPolicy.allow_inherently_safe()
        )

    @agent.accepts(mid_turn=MidTurn.ENQUEUE)
    async def say(self, said: Say) -> TextReply:
        """Answer one message."""
        arguments: list[Any] = [said.text, self._runner.current_stream_context]
        # The package's own default for a model call: a minute, and no heartbeat.
        text = await workflow.execute_activity(call_model, args=arguments, start_to_close_timeout=timedelta(seconds=60))
        return TextReply(text=text)
