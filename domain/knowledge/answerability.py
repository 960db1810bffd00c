"""How likely the found passages answer the question, as one number for the whole search.

Not the relevance of a passage: the best of ten near misses is relevant and answers nothing.
"""

import math
from collections.abc import Sequence

from domain.knowledge.evidence import evidence
from domain.knowledge.passage import Passage

_BEST, _LEAD, _WORDS, _OFFSET = 1.0, 0.0, 0.0, 0.0

NOTHING_RELEVANT = 0.3
"""Below, a search says that it found nothing relevant."""


def signals(question: str, passages: Sequence[Passage]) -> tuple[float, float, float]:
    """Of passages in their final order: the best relevance as log-odds, its lead in cosine, the words it has."""
    best = max(passages[:3], key=lambda p: p.score)
    odds = math.log(max(best.score, 1e-6) / max(1 - best.score, 1e-6))
    others = [p.explanation["dense"] for p in passages if p.id != best.id]
    lead = best.explanation["dense"] - (sum(others) / len(others) if others else 0.78)
    together = max(each.together for each in evidence(question, passages)[:3])
    return odds, lead, together


def answerability(question: str, passages: Sequence[Passage]) -> float:
    """0..1; 0 without passages. passages: best first, with the search's scores."""
    if not passages:
        return 0.0
    odds, lead, words = signals(question, passages)
    evidence_for = _BEST * odds + _LEAD * lead + _WORDS * words + _OFFSET
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, evidence_for))))
