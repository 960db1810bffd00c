"""Go on with a reply that readers have partly seen. The one place that cuts away what was already shown."""

import re

from domain.guard.personal_data import find

GO_ON = (
    "Your reply was cut off after the text above, which the reader has already seen. Go on exactly where it "
    "stopped: begin by repeating only its last word, then continue. Repeat nothing else and do not mention this."
)
"""Asking for the last word shows whether the text stopped inside a word, which its end alone cannot."""

_LONGEST_OVERLAP = 2000
_WORD_START = re.compile(r"(?<!\w)\w|(?<=\s)\S|^")


def shown_length(text: str, prefix: str) -> int:
    """How much of a text that is always the same has been shown, when `prefix` is what readers saw of it.

    What the guard replaced by a placeholder counts as shown. Where the two part, what is left
    begins: nothing is shown twice.
    """
    return _matched(text, prefix)[0]


def is_beginning(prefix: str, text: str) -> bool:
    """Whether readers saw the beginning of this text, with placeholders in it or without."""
    return _matched(text, prefix)[1] == len(prefix)


def _matched(text: str, prefix: str) -> tuple[int, int]:
    """How far both are the same, in the text and in the prefix."""
    if text.startswith(prefix):
        return len(prefix), len(prefix)
    spans = iter(find(text))
    span = next(spans, None)
    here = there = 0
    while there < len(prefix) and here < len(text):
        while span is not None and span.end <= here:
            span = next(spans, None)
        if span is not None and span.start <= here and prefix.startswith(f"[{span.kind}]", there):
            there += len(span.kind) + 2
            here = span.end
        elif text[here] == prefix[there]:
            here += 1
            there += 1
        else:
            break
    return here, there


class Continuation:
    """What a model says after a prefix, without what it says again of the prefix's end.

    Text is held back only while it may still be a repetition. A repetition begins at a word of the
    prefix and reaches its end. Where none is found and two words would touch, a space is put between.
    """

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        tail = prefix[-_LONGEST_OVERLAP:].rstrip()
        # Longest first: a model that starts from the beginning repeats everything.
        self._overlaps = [tail[m.start() :] for m in _WORD_START.finditer(tail) if tail[m.start() :]]
        self._held = ""
        self._decided = not self._overlaps
        self._skips_space = False
        """The prefix ended with white space, which the model says again before its next word."""

    def feed(self, text: str) -> str:
        """What is new of it, as far as that is known."""
        if self._decided:
            return self._without_space(text)
        self._held += text
        said = self._held.lstrip()
        if any(len(said) < len(overlap) and overlap.startswith(said) for overlap in self._overlaps):
            return ""
        return self._decide()

    def finish(self) -> str:
        """What was still held back."""
        return "" if self._decided else self._decide()

    def _decide(self) -> str:
        self._decided = True
        said = self._held.lstrip()
        for overlap in self._overlaps:
            if said.startswith(overlap):
                self._skips_space = self._prefix[-1].isspace()
                return self._without_space(said[len(overlap) :])
        touching = self._prefix[-1].isalnum() and self._held[:1].isalnum()
        return " " + self._held if touching else self._held

    def _without_space(self, text: str) -> str:
        if self._skips_space:
            text = text.lstrip()
            self._skips_space = not text
        return text
