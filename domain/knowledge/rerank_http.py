"""Rerank by a provider that speaks the API of Cohere and Jina: `POST {base_url}/rerank`. Voyage answers alike."""

import math
from collections.abc import Sequence
from typing import Any

from domain.errors import ProviderGarbage
from domain.knowledge.passage import Passage
from domain.knowledge.provider import JsonProvider


class HttpReranker:
    """Sends the question and the passages to the provider: only where that is allowed."""

    def __init__(self, *, base_url: str, model: str, api_key: str | None = None, timeout_seconds: float = 2.0) -> None:
        """timeout_seconds: a turn waits for it; a search that does not get an answer goes on without."""
        self.name = model
        self._provider = JsonProvider(base_url, api_key, timeout_seconds)

    async def rerank(self, question: str, passages: Sequence[Passage]) -> list[float]:
        """See `Reranker`. Raises ProviderGarbage unless every passage has exactly one score."""
        body = {
            "model": self.name,
            "query": question,
            "documents": [passage.whole for passage in passages],
            "top_n": len(passages),
        }
        return _scores(await self._provider.post("/rerank", body), len(passages))

    async def close(self) -> None:
        """Idempotent."""
        await self._provider.close()


def _scores(answer: Any, count: int) -> list[float]:
    scores: dict[int, float] = {}
    try:
        for result in answer["results"] if "results" in answer else answer["data"]:
            scores[int(result["index"])] = float(result["relevance_score"])
    except (KeyError, TypeError, ValueError) as error:
        raise ProviderGarbage("a reranker's answer has no results with index and relevance_score") from error
    if sorted(scores) != list(range(count)) or not all(map(math.isfinite, scores.values())):
        raise ProviderGarbage(f"a reranker gave {len(scores)} scores for {count} passages")
    return [scores[number] for number in range(count)]
