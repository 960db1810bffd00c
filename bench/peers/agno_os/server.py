"""Agno's AgentOS with Postgres, driven through its own HTTP API: plain, or with its durable queue (--durable)."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from agno.agent import Agent
from agno.db.postgres import AsyncPostgresDb
from agno.job_queue import QueueConfig
from agno.models.base import Model
from agno.models.response import ModelResponse
from agno.os import AgentOS
from peer import arguments, fake_model, serve

given = arguments()


class FakeModel(Model):
    def __init__(self) -> None:
        super().__init__(id="fake", name="fake", provider="fake")

    def invoke(self, *args: Any, **kwargs: Any) -> ModelResponse:
        raise NotImplementedError("only streamed")

    async def ainvoke(self, messages: list[Any], *args: Any, **kwargs: Any) -> ModelResponse:
        said = [token async for token in fake_model(str(messages[-1].content))]
        return ModelResponse(role="assistant", content="".join(said))

    def invoke_stream(self, *args: Any, **kwargs: Any) -> Iterator[ModelResponse]:
        raise NotImplementedError("only asynchronous")

    async def ainvoke_stream(self, messages: list[Any], *args: Any, **kwargs: Any) -> AsyncIterator[ModelResponse]:
        async for token in fake_model(str(messages[-1].content)):
            yield ModelResponse(role="assistant", content=token)

    def _parse_provider_response(self, response: Any, **kwargs: Any) -> ModelResponse:
        return response

    def _parse_provider_response_delta(self, response: Any) -> ModelResponse:
        return response


db = AsyncPostgresDb(db_url=given.database_url.replace("postgresql://", "postgresql+psycopg://"))
agent = Agent(id="bench", model=FakeModel(), db=db, add_history_to_context=True, num_history_runs=10, telemetry=False)
# Two attempts, so that a killed run is run again at all; capped at more than the bench ever asks for at once.
queue = QueueConfig(durable=True, max_attempts=2, max_concurrency=400, max_queue_depth=5000) if given.durable else None
agent_os = AgentOS(id="bench", agents=[agent], db=db, queue=queue, telemetry=False)
app = agent_os.get_app()

if __name__ == "__main__":
    serve(app, given.port)
