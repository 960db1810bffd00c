"""How relevant a passage is to a question, as a number that means the same in every search.

Not for ranking: fusion does that, and always gives its best hit 1.0, also for a question nobody can answer.
"""

import math
import re
import unicodedata
from functools import lru_cache

_WORD = re.compile(r"\w+")
_NO_SPACES = re.compile(r"[\u0e00-\u0e7f\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")


def relevance(cosine: float, coverage: float) -> float:
    """0..1."""
    return 1 / (1 + math.exp(-(_SLOPE * (cosine - _MIDDLE) + _WORDS * coverage)))


_SLOPE, _MIDDLE, _WORDS = 40.0, 0.85, 2.0


def coverage(query: str, text: str) -> float:
    """Which part of the question's telling words the text has, 0..1, long words counting more."""
    asked = telling(query)
    if not asked:
        return 0.0
    there = words(text)
    return sum(len(word) for word in asked if word in there) / sum(map(len, asked))


@lru_cache(maxsize=4096)
def telling(text: str) -> frozenset[str]:
    found = words(text)
    return (
        frozenset(word for word in found if len(word) > 3 or not word.isascii() or any(map(str.isdigit, word))) or found
    )


@lru_cache(maxsize=4096)
def words(text: str) -> frozenset[str]:
    """Words without case and accents; of scripts that write no spaces, pairs of characters."""
    folded = unicodedata.normalize("NFKD", text.casefold())
    folded = "".join(c for c in folded if not unicodedata.combining(c)) if not folded.isascii() else folded
    found: set[str] = set()
    for word in _WORD.findall(folded):
        if _NO_SPACES.search(word):
            found.update(word[i : i + 2] for i in range(max(1, len(word) - 1)))
        else:
            found.add(word)
    return frozenset(found)
