"""Whether a message can be searched alone, or leans on what was said before. Not for rewriting it: `rewrite.py`."""

# ruff: noqa: RUF001 - other languages have other signs

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from domain.knowledge.followup_words import WORDS, FollowUpWords

Reason = Literal["points_back", "goes_on", "few_words"]

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_KANA = re.compile(r"[\u3040-\u30ff]")
_HAN = re.compile(r"[\u4e00-\u9fff]")
_HANGUL = re.compile(r"[\uac00-\ud7af]")

_FEW = 2
"""Telling words of a message that names no topic ("and the price?")."""

_FEW_SIGNS = 4
"""The same in signs, where words are not told apart by spaces."""


def language_of(texts: Sequence[str]) -> str:
    """The language whose small words the texts use most; English where none does. Unspaced scripts by their signs."""
    text = " ".join(texts)
    if _KANA.search(text):
        return "ja"
    for language, signs in (("ko", _HANGUL), ("zh", _HAN)):
        if len(signs.findall(text)) * 4 > len(text):
            return language
    words = words_of(text)
    known = {name: sum(map(_small(name).__contains__, words)) for name, each in WORDS.items() if each.spaced}
    return max(known, key=lambda name: known[name])


@lru_cache
def _small(language: str) -> frozenset[str]:
    return WORDS[language].points | WORDS[language].empty


def words_of(text: str) -> list[str]:
    """In lower case, in order."""
    return _WORD.findall(text.lower().replace("’", "'"))


def telling(text: str, language: str) -> list[str]:
    """Words that name a topic, in order; of an unspaced script what is left between the small ones."""
    known = WORDS[language]
    if known.spaced:
        return [word for word in words_of(text) if word not in known.empty and word not in known.points]
    small = sorted(known.empty | known.points, key=len, reverse=True)
    left = re.sub("|".join(map(re.escape, small)), " ", text.lower())
    return words_of(left)


def reasons(text: str, language: str) -> list[Reason]:
    """Why the message cannot be searched alone; empty when it can."""
    known = WORDS[language]
    found: list[Reason] = []
    if _points(text, known):
        found.append("points_back")
    if _goes_on(text, known):
        found.append("goes_on")
    if _few(text, language):
        found.append("few_words")
    return found


def _points(text: str, known: FollowUpWords) -> bool:
    if known.spaced:
        return any(word.split("'")[0] in known.points or word in known.points for word in words_of(text))
    return any(word in text for word in known.points)


def _goes_on(text: str, known: FollowUpWords) -> bool:
    start = text.lower().lstrip(" \t\n\"'¿¡-–—…。，,")
    if known.spaced:
        return any(re.match(rf"{re.escape(opening)}\b", start) for opening in known.opens)
    return start.startswith(known.opens) or start.rstrip("?？ ").endswith("呢")


def _few(text: str, language: str) -> bool:
    left = telling(text, language)
    return len(left) <= _FEW if WORDS[language].spaced else sum(map(len, left)) <= _FEW_SIGNS
