"""Compare a text with the one it should be: characters, words in order, words in any order. Not for layout."""

import html
import re
import unicodedata
from collections import Counter
from dataclasses import dataclass

from rapidfuzz.distance import LCSseq, Levenshtein

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_RULE = re.compile(r"^[|\s:-]+$", re.MULTILINE)
_LINE_MARK = re.compile(r"^\s*(?:#{1,6}|[-*•]|```\w*)(?:\s+|$)", re.MULTILINE)
_EMPHASIS = re.compile(r"\*\*|~~|`|(?<!\w)[*_](?=\S)|(?<=\S)[*_](?!\w)|\$\$")
_LINK = re.compile(r"\[([^\]]*)\]\([^)\s]*\)")
_ESCAPE = re.compile(r"\\([|_*#\\])")
_WORD = re.compile(r"[^\W_]+")
_SAME = str.maketrans("\u2018\u2019\u201c\u201d\u2010\u2011\u2013\u2014", "''\"\"----")


@dataclass(frozen=True, slots=True)
class Accuracy:
    """All from 0 to 1. characters: 1 - edit distance / length of the truth. words: F1 of the longest common
    subsequence, so their order counts. overlap: F1 of the words in any order."""

    characters: float
    words: float
    overlap: float


def accuracy(found: str, truth: str) -> Accuracy:
    """Both are stripped of Markdown's marks, and spaces, quotes and dashes are made alike.

    Case does not count where the truth was written in capitals alone, as that of receipts is.
    """
    a, b = plain(found), plain(truth)
    if b.isupper():
        a = a.upper()
    ours, theirs = _WORD.findall(a), _WORD.findall(b)
    together = max(1, len(ours) + len(theirs))
    common = sum((Counter(ours) & Counter(theirs)).values())
    return Accuracy(
        characters=max(0.0, 1 - Levenshtein.distance(a, b) / max(1, len(b))),
        words=2 * LCSseq.similarity(ours, theirs) / together,
        overlap=2 * common / together,
    )


def plain(text: str) -> str:
    """The words of a Markdown text in one line."""
    text = html.unescape(_COMMENT.sub(" ", text))
    text = _ESCAPE.sub(r"\1", _LINK.sub(r"\1", text))
    text = _LINE_MARK.sub("", _RULE.sub("", text))
    text = _EMPHASIS.sub("", text).replace("|", " ")
    text = unicodedata.normalize("NFKC", text).translate(_SAME)
    return " ".join(text.split())
