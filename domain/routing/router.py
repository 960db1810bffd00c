from collections.abc import Hashable, Sequence

from contracts.turn import Route
from domain.agents.config import Intent
from domain.knowledge.embedder import Embedder


class Router:
    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    async def route(self, text: str, intents: Sequence[Intent], version_key: Hashable) -> Route:
        raise NotImplementedError
