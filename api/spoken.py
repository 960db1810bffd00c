"""A reply for readers who cannot take text back: of what the log shows, what to say next.

What was once said stays said. After a rewind, text that repeats it is passed over and text that
differs follows it.
"""


class Spoken:
    """Feed it the deltas and rewinds of one turn, in order; each answer is text to append."""

    def __init__(self) -> None:
        self._text = ""
        self._said = 0
        self._past: str | None = None
        """What was said before a rewind reached into it; None while text and said agree."""

    def delta(self, text: str, at: int) -> str:
        """Text placed at an offset (code points). Returns what to append, maybe nothing."""
        self._text = self._text[:at] + text
        if self._past is None:
            return self._rest(self._said)
        if self._past.startswith(self._text):
            return ""
        past, self._past = self._past, None
        if self._text.startswith(past):
            return self._rest(len(past))
        return "\n\n" + self._rest(_common(past, self._text))

    def rewind(self, to: int) -> None:
        """Text from an offset on does not count any more."""
        if to < self._said and self._past is None:
            self._past = self._text[: self._said]
        self._text = self._text[:to]

    def _rest(self, start: int) -> str:
        self._said = len(self._text)
        return self._text[start:]


def _common(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
