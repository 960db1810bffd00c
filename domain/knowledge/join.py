"""Put what a message found as it was said beside what it found as the question it means.

The words a rewriter adds bring back what the question before was about, and may drown what is new in this one.
Measured with `bench.conversations` (docs/conversational-search.md): joined, neither search loses to the other.
"""

from collections.abc import Sequence

from domain.knowledge.passage import Passage
from domain.knowledge.search import Found, distinct

_AS_SAID = 0.5
"""Of the rewritten question's weight; 0.3 and 0.5 find the same, 1 costs questions that name no topic."""


def joined(said: Found, rewritten: Found, *, limit: int, min_score: float = 0.0) -> Found:
    """Best first by the sum of both, each by its own best. A passage that both found has the rewritten one's score.

    The rest of the result is the rewritten question's.
    """
    weights = _shares(rewritten.ranked, 1.0)
    for place, share in _shares(said.ranked, _AS_SAID).items():
        weights[place] = weights.get(place, 0.0) + share
    passages = {_place(one): one for one in (*said.ranked, *rewritten.ranked)}
    ordered = sorted(passages, key=lambda place: (-weights[place], place))
    chosen = distinct([passages[place] for place in ordered], limit, min_score)
    return Found(chosen, rewritten.answerable, rewritten.reranker, rewritten.milliseconds, rewritten.ranked)


def _shares(ranked: Sequence[Passage], most: float) -> dict[tuple[str, str], float]:
    """Of the best passage's score, 0..most. A provider's scores may lie below 0: then the worst counts as 0."""
    scores = {_place(one): _final(one) for one in ranked}
    lowest = min(0.0, *scores.values()) if scores else 0.0
    highest = max(scores.values(), default=0.0) - lowest or 1.0
    return {place: most * (score - lowest) / highest for place, score in scores.items()}


def _final(passage: Passage) -> float:
    return passage.explanation.get("reranked", passage.explanation.get("fused", 0.0))


def _place(passage: Passage) -> tuple[str, str]:
    return str(passage.collection_id), passage.id
