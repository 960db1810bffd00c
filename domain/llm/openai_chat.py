from collections.abc import AsyncIterator

from domain.llm.model import ModelRequest, Piece


class OpenAIProvider:
    name = "openai"

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str | None,
        default_model: str,
        first_token_seconds: float = 60,
        idle_seconds: float = 30,
    ) -> None:
        self.default_model = default_model

    def stream(self, request: ModelRequest) -> AsyncIterator[Piece]:
        raise NotImplementedError

    async def close(self) -> None:
        """Idempotent."""
