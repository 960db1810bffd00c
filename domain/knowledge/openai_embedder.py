"""Embed by a server that speaks OpenAI's `POST {base_url}/embeddings`. Not the default: see `e5.py`."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.errors import ProviderGarbage
from domain.knowledge.embedder import Vector
from domain.knowledge.provider import JsonProvider

_BATCH = 64
"""Texts of one request: 64 passages are 16,000 tokens, far below the 300,000 that OpenAI takes at once."""

_AT_ONCE = 4
"""Requests in flight: more only meet the provider's rate limit sooner."""

_QUESTIONS_KEPT = 4096


class OpenAIEmbedder:
    """dimensions: what the collections of this process hold; a provider that gives others is refused."""

    def __init__(
        self,
        *,
        base_url: str,
        model: str,
        dimensions: int,
        api_key: str | None = None,
        timeout_seconds: float = 30.0,
        shorten: bool = False,
    ) -> None:
        """shorten: ask the provider to cut vectors to `dimensions`, which not every server understands."""
        self.name, self.dimensions = model, dimensions
        self._shorten = shorten
        self._provider = JsonProvider(base_url, api_key, timeout_seconds)
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._known: OrderedDict[str, Vector] = OrderedDict()

    async def warm(self) -> None:
        """Nothing to load: a provider that is away only fails what needs it."""

    async def query(self, text: str) -> Vector:
        """See `Embedder`. Raises ProviderUnavailable, ProviderRejected, ProviderGarbage."""
        known = self._known.get(text)
        if known is None:
            known = self._known[text] = (await self._embed([text]))[0]
            if len(self._known) > _QUESTIONS_KEPT:
                self._known.popitem(last=False)
        return known

    async def passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """See `Embedder`. Raises ProviderUnavailable, ProviderRejected, ProviderGarbage."""
        if not texts:
            return np.empty((0, self.dimensions), np.float32)
        batches = [texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH)]
        return np.concatenate(await asyncio.gather(*map(self._embed, batches)))

    async def close(self) -> None:
        """Idempotent."""
        await self._provider.close()

    async def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        # An empty text is refused by OpenAI, and a document may hold one.
        body: dict[str, Any] = {
            "model": self.name,
            "input": [text or " " for text in texts],
            "encoding_format": "float",
        }
        if self._shorten:
            body["dimensions"] = self.dimensions
        async with self._room:
            answer = await self._provider.post("/embeddings", body)
        return self._normalised(_rows(answer, len(texts)))

    def _normalised(self, rows: list[Any]) -> NDArray[np.float32]:
        try:
            vectors = np.array(rows, np.float32)
        except (TypeError, ValueError) as error:
            raise ProviderGarbage(f"{self.name} answered vectors that are not numbers") from error
        if vectors.shape != (len(rows), self.dimensions):
            raise ProviderGarbage(
                f"{self.name} makes vectors of {vectors.shape[-1]} dimensions, and {self.dimensions} are set"
            )
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.isfinite(lengths).all() or not lengths.all():
            raise ProviderGarbage(f"{self.name} answered a vector without a direction")
        made: NDArray[np.float32] = vectors / lengths
        return made


def _rows(answer: Any, count: int) -> list[Any]:
    try:
        rows = {int(row["index"]): row["embedding"] for row in answer["data"]}
        return [rows[number] for number in range(count)]
    except (KeyError, TypeError, ValueError) as error:
        raise ProviderGarbage(f"an embedding answer does not hold {count} vectors") from error
