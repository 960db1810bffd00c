"""Where sentences end, in many scripts. Rules, not a model: a passage only needs not to be cut in a wrong place."""

# ruff: noqa: RUF001 (punctuation of other scripts is meant)

import re
from collections.abc import Iterator

_END = re.compile(
    r"""
    [.!?…]+['"”’»)\]]*\s+        # Latin, Cyrillic, Greek: a mark and a space
    | [。！？]+[」』”’）]*\s*      # Chinese and Japanese write no space
    | [؟।။።]+\s*                 # Arabic, Hindi, Burmese, Ethiopic
    | \n+
    """,
    re.VERBOSE,
)
_NO_END = re.compile(
    r"(?:\b(?:[A-Za-z]|e\.g|i\.e|cf|vs|etc|approx|Mr|Mrs|Ms|Dr|Prof|St|No|Fig|Art|Nr|bzw|ca|z\.B)|^\d{1,3})\.\s*$"
)


def sentence_ends(text: str, start: int, end: int) -> Iterator[int]:
    """Offsets just behind each sentence of text[start:end], white space included; the last is `end`."""
    for match in _END.finditer(text, start, end):
        if match.end() >= end:
            break
        before = text[max(start, match.start() - 8) : match.end()]
        if not match[0].startswith(".") or "\n" in match[0] or _NO_END.search(before) is None:
            yield match.end()
    yield end
