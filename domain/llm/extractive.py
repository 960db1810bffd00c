from collections.abc import AsyncIterator

from domain.knowledge.embedder import Embedder
from domain.llm.model import ModelRequest, Piece


class ExtractiveProvider:
    name = "extractive"
    default_model = "extractive"

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    def stream(self, request: ModelRequest) -> AsyncIterator[Piece]:
        raise NotImplementedError

    async def close(self) -> None:
        """Nothing is open."""
