"""Sentences of passages as candidates for an extractive answer: cut, cleaned of markup, compared by words."""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from domain.knowledge.passage import Passage
from domain.knowledge.sentences import sentence_ends

_FENCED_CODE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_IMAGE = re.compile(r"!\[[^\]]*\]\([^)]*\)")
_LINK = re.compile(r"\[([^\]]+)\]\((?:[^()]|\([^()]*\))*\)")
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>")
_MARKS = re.compile(r"\*\*|__|(?<!\w)_(?=\S)|(?<=\S)_(?!\w)|(?<![\w*])\*(?=\S)|(?<=\S)\*(?![\w*])|`")
_LINE_START = re.compile(r"^\s*(?:>+\s*)?(?:[-*+•]\s+|\d{1,3}[.)]\s+)?")
_NOT_PROSE = re.compile(r"^\s*(?:#{1,6}\s|\||[-=*_]{3,}\s*$)")
_CODE = re.compile(r"[{}<>;$]|\w\(\)|\"\s*:|\w\s?=\s?\w")
_BLANKS = re.compile(r"\s+")
_TERM = re.compile(r"[^\W_]+")
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f]")
_STEM_CHARACTERS = 6
"""Words are compared by their beginning, which stands in for a stemmer in every language that writes spaces."""
_SHORTEST_CHARACTERS = 12
"""Shorter pieces are labels and leftovers of tables, not statements."""
_LONGEST_CHARACTERS = 700


@dataclass(frozen=True, slots=True)
class Sentence:
    """passage: index of its passage. place: order in the whole. is_item: stands in a list."""

    text: str
    passage: int
    place: int
    is_item: bool
    terms: frozenset[str]


def sentences(passages: Sequence[Passage]) -> list[Sentence]:
    """All sentences and list items of the passages in order, each once, verbatim but for markup."""
    found: list[Sentence] = []
    seen: set[str] = set()
    for index, passage in enumerate(passages):
        for raw, is_item in _pieces(_FENCED_CODE.sub("\n", passage.text)):
            text = clean(raw)
            if not _is_statement(text):
                continue
            if text not in seen:
                seen.add(text)
                found.append(Sentence(text, index, len(found), is_item, frozenset(terms(text))))
    return found


def _is_statement(text: str) -> bool:
    if len(_CODE.findall(text)) > len(text) // 40:
        return False
    # A character of an unspaced script says about three times as much.
    weight = len(text) * (3 if is_unspaced(text) else 1)
    return weight >= _SHORTEST_CHARACTERS and len(text) <= _LONGEST_CHARACTERS


def is_unspaced(text: str) -> bool:
    """Whether it is written without spaces between words, as Chinese, Japanese and Thai are."""
    return _UNSPACED.search(text) is not None


def _pieces(text: str) -> Iterable[tuple[str, bool]]:
    start = 0
    for end in sentence_ends(text, 0, len(text)):
        piece = text[start:end]
        start = end
        if _NOT_PROSE.match(piece) is None:
            marker = _LINE_START.match(piece)
            yield piece[marker.end() if marker else 0 :], bool(marker and marker.group().strip())


def clean(text: str) -> str:
    """Without the marks of Markdown and HTML; the words stay as they are."""
    text = _LINK.sub(r"\1", _IMAGE.sub("", text))
    return _BLANKS.sub(" ", _MARKS.sub("", _TAG.sub("", text))).strip()


def terms(text: str) -> list[str]:
    """What is compared: beginnings of words, and pairs of characters where no spaces are written."""
    found: list[str] = []
    for word in _TERM.findall(text.casefold()):
        if _UNSPACED.search(word):
            found += [word[i : i + 2] for i in range(max(1, len(word) - 1))]
        else:
            found.append(word[:_STEM_CHARACTERS])
    return found


def overlaps(question: Sequence[str], candidates: Sequence[Sentence]) -> list[float]:
    """For each candidate the share, 0..1, of the question's terms that it has; rare terms weigh more."""
    among = Counter(term for candidate in candidates for term in candidate.terms)
    total = len(candidates)
    weights = {term: math.log(1 + total / (1 + among[term])) * min(1, len(term) / 4) for term in set(question)}
    whole = sum(weights.values()) or 1
    return [sum(weights[term] for term in weights.keys() & candidate.terms) / whole for candidate in candidates]
