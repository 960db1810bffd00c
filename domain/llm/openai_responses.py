"""OpenAI's Responses API. Nothing is kept at the provider: every request brings the whole conversation."""

from collections.abc import AsyncIterator

from domain.llm.model import ModelRequest, Piece
from domain.llm.openai_client import meaning, opened
from domain.llm.openai_responses_reply import ResponsesReader
from domain.llm.openai_responses_request import responses_body
from domain.llm.wire import PATIENCE, EventStream, Pace, Patience, reply


class ResponsesProvider:
    """name: what this process calls it by."""

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str | None,
        default_model: str,
        name: str = "openai_responses",
        patience: Patience = PATIENCE,
    ) -> None:
        self.name = name
        self.default_model = default_model
        self._patience = patience
        self._client = opened(api_key, base_url)

    def stream(self, request: ModelRequest) -> AsyncIterator[Piece]:
        """See `Provider.stream`."""

        async def ask() -> EventStream:
            stream: EventStream = await self._client.responses.create(**responses_body(request))
            return stream

        return reply(self.name, request, ResponsesReader(self.name), Pace(self._patience), ask, meaning(self.name))

    async def close(self) -> None:
        """Idempotent."""
        await self._client.close()
