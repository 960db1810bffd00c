"""The LangGraph library behind FastAPI: one chat node, messages as the state, checkpoints in Postgres.

Nothing here finishes a turn whose process died: a caller has to come back and ask (POST /turn with empty text
goes on from the last checkpoint, which is the beginning of the node that was cut off).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, MessagesState, StateGraph
from peer import DONE, arguments, fake_model, serve, sse
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel

given = arguments()


class FakeChat(BaseChatModel):
    @property
    def _llm_type(self) -> str:
        return "fake"

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        raise NotImplementedError("only streamed")

    async def _agenerate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        said = [token async for token in fake_model(str(messages[-1].content))]
        return ChatResult(generations=[ChatGeneration(message=AIMessage("".join(said)))])

    async def _astream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        async for token in fake_model(str(messages[-1].content)):
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=token))
            if run_manager:
                await run_manager.on_llm_new_token(token, chunk=chunk)
            yield chunk


class Turn(BaseModel):
    conversation: str
    text: str


model = FakeChat()


async def chat(state: MessagesState) -> dict[str, Any]:
    return {"messages": [await model.ainvoke(state["messages"])]}


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    async with AsyncConnectionPool(given.database_url, min_size=4, max_size=20, kwargs=settings) as pool:
        saver = AsyncPostgresSaver(pool)
        await saver.setup()
        graph = StateGraph(MessagesState)
        graph.add_node("chat", chat)
        graph.add_edge(START, "chat")
        graph.add_edge("chat", END)
        app.state.graph = graph.compile(checkpointer=saver)
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/health")
async def health() -> str:
    return "ok"


@app.post("/turn")
async def turn(turn: Turn) -> StreamingResponse:
    config = {"configurable": {"thread_id": turn.conversation}}
    message = {"messages": [{"role": "user", "content": turn.text}]} if turn.text else None

    async def events() -> AsyncIterator[str]:
        async for chunk, _ in app.state.graph.astream(message, config, stream_mode="messages"):
            if chunk.content:
                yield sse(str(chunk.content))
        yield DONE

    return StreamingResponse(events(), media_type="text/event-stream")


if __name__ == "__main__":
    serve(app, given.port)
