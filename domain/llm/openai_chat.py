"""OpenAI's Chat Completions, and every server that speaks it. Not for the Responses API."""

from collections.abc import AsyncIterator

from domain.llm.model import ModelRequest, Piece
from domain.llm.openai_chat_reply import ChatReader
from domain.llm.openai_chat_request import chat_body
from domain.llm.openai_client import meaning, opened
from domain.llm.preset import Preset, preset_of
from domain.llm.wire import PATIENCE, EventStream, Pace, Patience, reply


class OpenAIProvider:
    """name: what this process calls it by. preset None: OpenAI's own, or a compatible server's by its address.

    keep_alive False: a connection for each call, to a server that may end one just as it is used again.
    """

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str | None,
        default_model: str,
        name: str = "openai",
        patience: Patience = PATIENCE,
        preset: Preset | None = None,
        keep_alive: bool = True,
    ) -> None:
        self.name = name
        self.default_model = default_model
        self._patience = patience
        self._preset = preset or preset_of("openai", base_url)
        self._client = opened(api_key, base_url or self._preset.base_url, keep_alive=keep_alive)

    def stream(self, request: ModelRequest) -> AsyncIterator[Piece]:
        """See `Provider.stream`."""

        async def ask() -> EventStream:
            stream: EventStream = await self._client.chat.completions.create(**chat_body(request, self._preset))
            return stream

        # With passages, numbers are theirs; JSON has no place for footnotes; those of a first half may be another's.
        footnotes = self._preset.searches and not (request.passages or request.output_schema or request.prefix)
        reader = ChatReader(self.name, footnotes=footnotes)
        return reply(self.name, request, reader, Pace(self._patience), ask, meaning(self.name))

    async def close(self) -> None:
        """Idempotent."""
        await self._client.close()
