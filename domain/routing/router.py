"""Decides what a message is about: its language and, by examples, its intent. Not for answering it."""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.turn import Route
from domain.agents.config import Intent
from domain.knowledge.embedder import Embedder
from domain.routing.language import LanguageDetector

LEAST_CONFIDENCE = 0.3
"""Below it, no intent: see the figures of `_confidence`."""

_VERSIONS_KEPT = 64
"""Agent versions whose examples stay in memory: 300 intents of 10 examples are 5 MB."""

_TYPICAL_MARGIN = 0.03
"""Distance to the second best intent, for an agent that has only one."""


@dataclass(frozen=True, slots=True)
class _Examples:
    """One row an example; `owner` is the index of its intent. Centroids are normalised means, one row an intent."""

    names: tuple[str, ...]
    vectors: NDArray[np.float32]
    owner: NDArray[np.intp]
    centroids: NDArray[np.float32]

    def scores(self, question: NDArray[np.float32]) -> NDArray[np.float32]:
        """For each intent the mean of two cosines: with its centroid and with its nearest example."""
        nearest = np.full(len(self.names), -1, dtype=np.float32)
        np.maximum.at(nearest, self.owner, self.vectors @ question)
        return np.asarray((nearest + self.centroids @ question) / 2, dtype=np.float32)


class Router:
    """Routes messages of every agent version of a process."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._languages = LanguageDetector()
        self._versions: OrderedDict[Hashable, asyncio.Task[_Examples]] = OrderedDict()

    async def route(self, text: str, intents: Sequence[Intent], version_key: Hashable) -> Route:
        """Language and intent of a message.

        version_key names the agent version: its examples are embedded once, and must not change
        under the same key. intent is None when none fits; intent_confidence is the
        probability that the best guess is right, also then.
        """
        spoken = self._languages.detect(text)
        route = Route(language=spoken.language, language_confidence=round(spoken.confidence, 4))
        if not text.strip() or not any(intent.examples for intent in intents):
            return route
        examples, question = await asyncio.gather(self._examples(intents, version_key), self._embedder.query(text))
        scores = examples.scores(question)
        best = int(scores.argmax())
        confidence = _confidence(scores)
        return route.model_copy(
            update={
                "intent": examples.names[best] if confidence >= LEAST_CONFIDENCE else None,
                "intent_confidence": round(confidence, 4),
            }
        )

    async def _examples(self, intents: Sequence[Intent], version_key: Hashable) -> _Examples:
        task = self._versions.get(version_key)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = asyncio.get_running_loop().create_task(self._embed(intents))
            self._versions[version_key] = task
            if len(self._versions) > _VERSIONS_KEPT:
                self._versions.popitem(last=False)
        self._versions.move_to_end(version_key)
        # A caller that gives up must not take the examples from the others who wait for them.
        return await asyncio.shield(task)

    async def _embed(self, intents: Sequence[Intent]) -> _Examples:
        known = [intent for intent in intents if intent.examples]
        # Examples are questions, and embedded as such: 2-4 points better than as passages.
        rows = await asyncio.gather(*(self._embedder.query(text) for intent in known for text in intent.examples))
        vectors = np.stack(rows)
        owner = np.repeat(np.arange(len(known)), [len(intent.examples) for intent in known])
        sums = np.zeros((len(known), vectors.shape[1]), dtype=np.float32)
        np.add.at(sums, owner, vectors)
        centroids = np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True), dtype=np.float32)
        return _Examples(tuple(intent.name for intent in known), vectors, owner, centroids)


def _confidence(scores: NDArray[np.float32]) -> float:
    """The probability that the best score names the right intent.

    Logistic in the best score and its distance to the second, fitted to CLINC150, BANKING77 and HWU64 with
    10 examples an intent. At LEAST_CONFIDENCE, right in scope / none out of scope: .82/.77, .77/.91, .67/.80;
    without a "none" in scope: .87, .77, .75.
    """
    best = float(scores.max())
    margin = best - float(np.partition(scores, -2)[-2]) if len(scores) > 1 else _TYPICAL_MARGIN
    return 1 / (1 + math.exp(33.41 - 35.87 * best - 91.02 * margin))
