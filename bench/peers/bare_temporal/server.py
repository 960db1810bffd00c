"""Six activities that do nothing, in a workflow of their own a turn: the floor of a Temporal turn without any care."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from peer import DONE, arguments, serve, sse
from pydantic import BaseModel
from steps import SixSteps, step
from temporalio.client import Client
from temporalio.worker import Worker


class Turn(BaseModel):
    conversation: str
    text: str


def app_of(address: str, queue: str) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.client = await Client.connect(address)
        yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/health")
    async def health() -> str:
        return "ok"

    @app.post("/turn")
    async def turn(turn: Turn) -> StreamingResponse:
        async def events() -> AsyncIterator[str]:
            client: Client = app.state.client
            token = await client.execute_workflow(SixSteps.run, turn.text, id=str(uuid4()), task_queue=queue)
            yield sse(token)
            yield DONE

        return StreamingResponse(events(), media_type="text/event-stream")

    return app


async def work(address: str, queue: str) -> None:
    client = await Client.connect(address)
    async with Worker(client, task_queue=queue, workflows=[SixSteps], activities=[step]):
        await asyncio.Event().wait()


if __name__ == "__main__":
    given = arguments()
    if given.worker:
        asyncio.run(work(given.temporal, given.queue))
    else:
        serve(app_of(given.temporal, given.queue), given.port)
