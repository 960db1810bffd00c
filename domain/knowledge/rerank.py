"""Look at the best passages once more, closer than a search of all of them could. One interface, a local one here.

For a provider's model see `rerank_http.py`.
"""

from collections.abc import Sequence
from typing import Protocol

from domain.knowledge.evidence import Evidence
from domain.knowledge.passage import Passage

RERANKED = 20
"""Passages that are looked at again: more than are ever shown beside each other, few enough for a few milliseconds."""


class Reranker(Protocol):
    """Its scores order passages of one question; they mean nothing beyond it."""

    name: str

    async def rerank(self, question: str, passages: Sequence[Passage]) -> list[float]:
        """A score for each passage, in their order; more is better.

        passages come with the search's scores (`explanation`). Raises ProviderUnavailable, ProviderRejected,
        ProviderGarbage where a provider is asked.
        """
        ...


BY_WORDS = "words"
"""The name of the local reranker."""


def by_words(passages: Sequence[Passage], seen: Sequence[Evidence]) -> list[float]:
    """A score for each passage, in order: a linear model over the fused score and what the words of a passage say.

    Weights fitted on half of the questions of eleven judged sets; signals picked by the other half (docs/retrieval.md).
    Tried and left out, as they found nothing more there: the best single sentence, and the likeness of single
    words by the encoder's own word vectors.
    """
    return [_score(p.explanation.get("fused", 0.0), e) for p, e in zip(passages, seen, strict=True)]


def _score(fused: float, seen: Evidence) -> float:
    return fused + 0.2 * seen.whole + 0.3 * seen.together + 1.0 * seen.above + 0.1 * seen.pairs
