"""What of the found data must not be shown, and what stands in its place. Not for finding it."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from contracts.turn import Finding
from domain.guard.personal_data import Span
from domain.guard.phone import spellings

_REPEATABLE = frozenset({"email", "phone", "ip"})
"""Kinds that a reply may repeat when they occur in its sources: a support address is an answer, a card never is."""

_BETWEEN_DIGITS = re.compile("(?<=[0-9])[ \u00a0()./-]+(?=[0-9])")


def placeholder(span: Span) -> str:
    return f"[{span.kind}]"


class Sources:
    """Texts whose e-mails, phone numbers and addresses may be repeated. Read only when the first is found."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self._joined: str | None = None
        self._digits = ""

    def allow(self, span: Span, value: str) -> bool:
        """Whether this value stands in the texts; a phone number in any spelling."""
        if span.kind not in _REPEATABLE or not self._texts:
            return False
        if self._joined is None:
            self._joined = "\n".join(self._texts).lower()
            self._digits = _BETWEEN_DIGITS.sub("", self._joined)
        if span.kind == "phone":
            return any(spelling in self._digits for spelling in spellings(value))
        whole = rf"(?<![\w.%+:-]){re.escape(value.lower())}(?![\w:-]|\.\w)"
        return re.search(whole, self._joined) is not None


def redact(text: str, spans: Iterable[Span]) -> str:
    """The text with each span replaced. Spans are in order and do not overlap."""
    parts: list[str] = []
    done = 0
    for span in spans:
        parts += (text[done : span.start], placeholder(span))
        done = span.end
    parts.append(text[done:])
    return "".join(parts)


def count(spans: Iterable[Span]) -> list[Finding]:
    """Kinds and numbers, never the data."""
    return [Finding(kind=kind, count=number) for kind, number in sorted(Counter(s.kind for s in spans).items())]
