"""Put what was found by meaning and what was found by words into one order."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from domain.knowledge.passage import Passage
from domain.knowledge.view import Row, View
from domain.knowledge.words import coverage

Key = tuple[UUID, Row]
"""A passage among those of all views of a search: its collection and its row there."""

JUDGED = 3
"""Hits of the word search that say how much words can tell about this question."""

_COVERAGE, _AGREEMENT = 0.5, 0.25
"""Fitted on half of the questions of 27 judged sets (`bench/retrieval.py`); each alone loses on some of them."""


@dataclass(slots=True)
class Candidate:
    """dense: the passage's cosine. keyword: its BM25, 0 when the word search did not find it.

    hub: the part of the cosine that any question gets, see `hub.py`.
    """

    view: View
    row: Row
    dense: float
    keyword: float
    hub: float = 0.0
    fused: float = 0.0

    @property
    def key(self) -> Key:
        return self.view.collection_id, self.row

    @property
    def meant(self) -> float:
        return self.dense - self.hub


def judged(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The first hits of the word search: `fuse` wants their texts."""
    return sorted((c for c in candidates if c.keyword > 0), key=lambda c: (-c.keyword, c.key))[:JUDGED]


def fuse(candidates: Sequence[Candidate], query: str, texts: dict[Key, Passage]) -> list[Candidate]:
    """Best first by the sum of both scores, stretched to 0..1 over what was found.

    Words weigh as much as their best hits can be trusted: by what they have of the question (all of it for
    a code, nothing across languages), and by how near in meaning they are, which also holds for questions
    too long to be covered. texts: of `judged` candidates.
    """
    if not candidates:
        return []
    low, high = min(c.meant for c in candidates), max(c.meant for c in candidates)
    most = max(c.keyword for c in candidates) or 1.0

    def meant(candidate: Candidate) -> float:
        return (candidate.meant - low) / (high - low or 1.0)

    best = [c for c in judged(candidates) if c.key in texts]
    covered = max((coverage(query, texts[c.key].whole) for c in best), default=0.0)
    agreed = sum(meant(c) for c in best) / (len(best) or 1)
    weight = _COVERAGE * covered + _AGREEMENT * agreed
    for c in candidates:
        c.fused = meant(c) + weight * c.keyword / most
    return sorted(candidates, key=lambda c: (-c.fused, c.key))
