"""Turn a follow-up ("and for the premium plan?") into a question that can be searched alone, without a model.

A rewriter that asks a model stands in `domain/llm/rewrite.py`, behind the same interface.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from contracts.turn import Rewrite
from domain.knowledge.followup import language_of, reasons, telling, words_of

HISTORY_MESSAGES = 6
"""Messages a rewriter sees: three exchanges. Older ones were asked about something else more often than not."""

HISTORY_CHARS = 1000
"""Of each message: what it is about stands at its beginning."""

_ENOUGH = 3
"""Telling words that name a topic; an earlier question with fewer leans on the one before it."""

_MOST = 24
"""Words added to a question: more would drown it."""


@dataclass(frozen=True, slots=True)
class Line:
    """An earlier message of the conversation."""

    role: Literal["user", "assistant"]
    text: str


class Rewriter(Protocol):
    async def rewrite(self, text: str, history: Sequence[Line]) -> Rewrite | None:
        """The question to search for instead of `text`; None: search for the text as it is.

        history: oldest first, without the text itself. Never raises for what a model or a text is like.
        """
        ...


class RuleRewriter:
    """Adds the telling words of the last questions to a message that cannot stand alone. 0.1 ms."""

    async def rewrite(self, text: str, history: Sequence[Line]) -> Rewrite | None:
        """See `Rewriter`."""
        asked = [line.text for line in history if line.role == "user"]
        if not asked:
            return None
        language = language_of([*asked, text])
        found = reasons(text, language)
        added = _topic(asked, text, language) if found else []
        if not added:
            return None
        return Rewrite(query=" ".join([*added, text]), by="rules", reasons=list(found))


def _topic(asked: Sequence[str], text: str, language: str) -> list[str]:
    """Telling words of the last question; of the one before it too while they name no topic."""
    known = set(words_of(text))
    topic: list[str] = []
    for question in reversed(asked):
        new = [word for word in dict.fromkeys(telling(question, language)) if word not in known]
        topic = [*new, *(word for word in topic if word not in new)]
        if len(topic) >= _ENOUGH:
            break
    return topic[:_MOST]
