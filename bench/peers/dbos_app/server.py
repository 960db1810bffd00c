"""DBOS with FastAPI: a turn is a workflow whose reply step writes each token to a durable stream.

The least that makes a turn: remember the question, reply, remember the answer; all three are steps.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import psycopg_pool
from dbos import DBOS, DBOSConfig, SetWorkflowID
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from peer import DONE, arguments, fake_model, serve, sse
from pydantic import BaseModel

given = arguments()
pool = psycopg_pool.AsyncConnectionPool(given.database_url, min_size=4, max_size=20, open=False)


class Turn(BaseModel):
    conversation: str
    text: str


@DBOS.step()
async def remember(conversation: str, role: str, text: str) -> None:
    async with pool.connection() as connection:
        await connection.execute(
            "INSERT INTO messages (conversation, role, text) VALUES (%s, %s, %s)", (conversation, role, text)
        )


@DBOS.step()
async def reply(text: str) -> str:
    said = []
    async for token in fake_model(text):
        await DBOS.write_stream_async("reply", token)
        said.append(token)
    return "".join(said)


@DBOS.workflow()
async def take_turn(conversation: str, text: str) -> None:
    await remember(conversation, "user", text)
    answer = await reply(text)
    await DBOS.close_stream_async("reply")
    await remember(conversation, "assistant", answer)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    await pool.open()
    async with pool.connection() as connection:
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS messages (id bigserial PRIMARY KEY, conversation text, role text, text text)"
        )
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS turns (conversation text PRIMARY KEY, workflow_id text NOT NULL)"
        )
    DBOS.launch()
    yield
    DBOS.destroy()
    await pool.close()


app = FastAPI(lifespan=lifespan)
DBOS(
    config=DBOSConfig(
        name="bench",
        system_database_url=given.database_url,
        sys_db_pool_size=40,
        application_version="1",
        executor_id="one",
        log_level="WARNING",
    )
)


@app.get("/health")
async def health() -> str:
    return "ok"


@app.post("/turn")
async def turn(turn: Turn) -> StreamingResponse:
    workflow_id = str(uuid4())
    async with pool.connection() as connection:
        await connection.execute(
            "INSERT INTO turns VALUES (%s, %s)"
            " ON CONFLICT (conversation) DO UPDATE SET workflow_id = excluded.workflow_id",
            (turn.conversation, workflow_id),
        )
    with SetWorkflowID(workflow_id):
        handle = await DBOS.start_workflow_async(take_turn, turn.conversation, turn.text)

    async def events() -> AsyncIterator[str]:
        async for token in DBOS.read_stream_async(workflow_id, "reply"):
            yield sse(token)
        await handle.get_result()
        yield DONE

    return StreamingResponse(events(), media_type="text/event-stream")


@app.get("/resume")
async def resume(conversation: str, after: int) -> StreamingResponse:
    async with pool.connection() as connection:
        row = await (
            await connection.execute("SELECT workflow_id FROM turns WHERE conversation = %s", (conversation,))
        ).fetchone()
    assert row is not None

    async def events() -> AsyncIterator[str]:
        async for token in DBOS.read_stream_async(row[0], "reply", offset=after):
            yield sse(token)
        yield DONE

    return StreamingResponse(events(), media_type="text/event-stream")


if __name__ == "__main__":
    serve(app, given.port)
