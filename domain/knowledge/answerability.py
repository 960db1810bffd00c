"""How likely the found passages answer the question, as one number for the whole search.

Not the relevance of a passage: the best of ten near misses is relevant and answers nothing.

Fitted on half of the questions of ClapNQ, MTRAG-UN, AWS and XQuAD (en, de, zh, th, zh asked of en), each also
asked of a collection that knows nothing of them; judged on the other 521: AUC .90; said 0.1, 0.3, 0.5, 0.7 and
0.9 were answered in .16, .39, .71, .87 and .96 of cases. Passages on the very topic that lack the answer are the
hard ones: AUC .83 on ClapNQ's, .87 on MTRAG-UN's.
"""

import math
from collections.abc import Sequence

from domain.knowledge.evidence import Evidence
from domain.knowledge.passage import Passage

_BEST, _WORDS, _OFFSET = 0.5, 1.0, -1.15

NOTHING_RELEVANT = 0.2
"""Below, a search says that it found nothing relevant: 6% of the questions with an answer, 52% of those without."""


def answerability(passages: Sequence[Passage], seen: Sequence[Evidence]) -> float:
    """0..1; 0 without passages. passages: best first, with the search's scores. seen: what the words of each say."""
    if not passages:
        return 0.0
    best, words = _signals(passages, seen)
    said = _BEST * best + _WORDS * words + _OFFSET
    return 1 / (1 + math.exp(-said))


def _signals(passages: Sequence[Passage], seen: Sequence[Evidence]) -> tuple[float, float]:
    """The best relevance of the first three, as log-odds, and how much of the question two sentences of one have."""
    score = max(passage.score for passage in passages[:3])
    odds = math.log(max(score, 1e-6) / max(1 - score, 1e-6))
    return max(-6.0, min(8.0, odds)), max(each.together for each in seen[:3])
