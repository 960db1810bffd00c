"""temporal-agent-harness behind FastAPI: one agent workflow a conversation, its event stream as server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from agent_workflow import BenchAgent, call_model
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from peer import DONE, arguments, serve, sse
from pydantic import BaseModel
from temporal_agent_harness.harness.agent_client import AgentClient, AgentStreamOutput
from temporal_agent_harness.harness.agent_protocol import AgentConfig, AgentEvent
from temporal_agent_harness.harness.agent_protocol.events import ReplyDelta
from temporal_agent_harness.plugin import AgentHarnessPlugin
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.worker import Worker


class Turn(BaseModel):
    conversation: str
    text: str


def app_of(address: str, queue: str) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.client = await Client.connect(address, plugins=[AgentHarnessPlugin()])
        yield

    app = FastAPI(lifespan=lifespan)
    started: set[str] = set()

    @app.get("/health")
    async def health() -> str:
        return "ok"

    @app.post("/turn")
    async def turn(turn: Turn) -> StreamingResponse:
        client: Client = app.state.client
        if turn.conversation not in started:
            await client.start_workflow(
                "BenchAgent",
                AgentConfig(),
                id=turn.conversation,
                task_queue=queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            )
            started.add(turn.conversation)

        async def events() -> AsyncIterator[str]:
            agent = AgentClient(client, turn.conversation)
            async for text in await agent.send_message("say", {"text": turn.text}, on_item=_text):
                if text:
                    yield sse(text)
            yield DONE

        return StreamingResponse(events(), media_type="text/event-stream")

    return app


def _text(item: AgentStreamOutput, _offset: int) -> str:
    if isinstance(item, AgentEvent):
        return item.event.text if isinstance(item.event, ReplyDelta) else ""
    raise item


async def work(address: str, queue: str) -> None:
    client = await Client.connect(address, plugins=[AgentHarnessPlugin()])
    async with Worker(client, task_queue=queue, workflows=[BenchAgent], activities=[call_model]):
        await asyncio.Event().wait()


if __name__ == "__main__":
    given = arguments()
    if given.worker:
        asyncio.run(work(given.temporal, given.queue))
    else:
        serve(app_of(given.temporal, given.queue), given.port)
