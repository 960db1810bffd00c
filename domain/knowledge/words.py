"""How much of a question's words a text has. For judging, not for finding: LanceDB does that."""

import re
import unicodedata
from functools import lru_cache

_WORD = re.compile(r"\w+")
_MARKS = re.compile(r"[\u0300-\u036f]+")
_NO_SPACES = re.compile(r"[\u0e00-\u0e7f\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def words_of(text: str) -> list[str]:
    """Its words in order, without case and accents; of scripts that write no spaces, pairs of characters."""
    folded = _fold(text)
    words: list[str] = _WORD.findall(folded)
    if folded.isascii() or not _NO_SPACES.search(folded):
        return words
    found: list[str] = []
    for word in words:
        if _NO_SPACES.search(word):
            found.extend(word[i : i + 2] for i in range(max(1, len(word) - 1)))
        else:
            found.append(word)
    return found


def coverage(question: str, text: str) -> float:
    """Which part of the question's telling words the text has, 0..1; longer words count more.

    A word inside another counts ("ship" in "shipping"): looking for it takes 10 us where
    cutting the text into words takes 200.
    """
    asked = _telling(question)
    whole = sum(map(len, asked))
    if not whole:
        return 0.0
    folded = _fold(text)
    return sum(len(word) for word in asked if word in folded) / whole


@lru_cache(maxsize=1024)
def _telling(question: str) -> frozenset[str]:
    """Not "how do I": in English, the words that carry nothing are the short ones."""
    found = set(words_of(question))
    telling = {w for w in found if len(w) > 3 or not w.isascii() or any(map(str.isdigit, w))}
    return frozenset(telling or found)


def _fold(text: str) -> str:
    """Without case and accents."""
    folded = text.casefold()
    return folded if folded.isascii() else _MARKS.sub("", unicodedata.normalize("NFKD", folded))
