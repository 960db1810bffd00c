"""Checks a reply while it streams: words go out at once, only what may be an identifier waits. Not for whole texts."""

from collections.abc import Sequence

from contracts.turn import Finding
from domain.agents.config import Guardrails
from domain.guard.cluster import CLUSTER, goes_on_after_space, is_plain, opens_number
from domain.guard.credential import PRIVATE_KEY_END, PRIVATE_KEY_HEAD, PRIVATE_KEY_OPENING, may_become_credential
from domain.guard.guard import must_hide
from domain.guard.personal_data import CONTEXT_CHARACTERS, Span, find_in_cluster
from domain.guard.redaction import Sources, count, placeholder


class OutgoingStream:
    """One reply on its way out. Not for sharing between replies.

    Everything that `feed` and `finish` return, joined, is what `check_outgoing` makes of the whole text,
    with one difference: when an identifier begins with letters (`ann.lee@…`, `DE89…`), letters
    that were fed before its first other character have gone out and stand before the placeholder.
    A word of letters goes out at once. A reply of letters and spaces is never delayed.
    """

    def __init__(self, guardrails: Guardrails, grounded: Sequence[str]) -> None:
        self._guardrails = guardrails
        self._sources = Sources(grounded)
        self._hidden: list[Span] = []
        self._raw = ""
        """Undecided text, after as much decided text as gives context."""
        self._cut = 0
        """Everything before this place in _raw is decided."""
        self._released = 0
        """Everything before this place in _raw is out; it may be ahead of _cut by one word of letters."""
        self._in_private_key = False

    @property
    def findings(self) -> list[Finding]:
        """What has been hidden so far: kinds and counts."""
        return count(self._hidden)

    def feed(self, text: str) -> str:
        """What may be shown now, in order; may be empty."""
        self._raw += text
        return self._advance(last=False)

    def finish(self) -> str:
        """What was held back, decided. After it, nothing may be fed."""
        return self._advance(last=True)

    def _advance(self, *, last: bool) -> str:
        out: list[str] = []
        while self._in_private_key or (head := PRIVATE_KEY_HEAD.search(self._raw, self._cut)):
            if not self._in_private_key:
                assert head is not None
                self._decide(out, head.start(), head.start())
                self._hide(out, Span("secret", head.start(), head.end()))
                self._in_private_key = True
            end = PRIVATE_KEY_END.search(self._raw, self._cut)
            if end is None:
                self._forget()
                return "".join(out)
            self._cut = self._released = end.end()
            self._in_private_key = False
        hold, shown = (len(self._raw),) * 2 if last else self._edge()
        self._decide(out, hold, shown)
        self._forget()
        return "".join(out)

    def _edge(self) -> tuple[int, int]:
        """Where undecided text begins, and up to where it may be shown all the same."""
        raw = self._raw
        end = len(raw)
        opening = PRIVATE_KEY_OPENING.search(raw, max(self._cut, end - 100))
        limit = opening.start() if opening else end
        previous = current = None
        for cluster in CLUSTER.finditer(raw, self._cut):
            previous, current = current, cluster
            if cluster.start() < limit < cluster.end():
                limit = cluster.start()
        if current is None:
            return limit, limit
        word = current.group()
        is_open = current.end() == end or (
            current.end() == end - 1 and raw[-1] in " \u00a0" and goes_on_after_space(word)
        )
        if not is_open:
            return limit, limit
        start = current.start()
        if opens_number(word) and previous is not None and previous.end() == start - 1:
            start = previous.start() if goes_on_after_space(previous.group()) else start
        shown = current.end() if is_plain(word) and not may_become_credential(word) else start
        return min(start, limit), min(shown, limit)

    def _decide(self, out: list[str], hold: int, shown: int) -> None:
        """Release up to `hold`, with what must be hidden replaced, and plain letters up to `shown`."""
        spans = [
            span
            for cluster in CLUSTER.finditer(self._raw, self._cut, hold)
            for span in find_in_cluster(self._raw, *cluster.span())
        ]
        for span in must_hide(spans, self._raw, self._guardrails, self._sources):
            self._show(out, span.start)
            self._hide(out, span)
        self._show(out, max(hold, shown))
        self._cut = max(self._cut, hold)

    def _show(self, out: list[str], end: int) -> None:
        if end > self._released:
            out.append(self._raw[self._released : end])
            self._released = end

    def _hide(self, out: list[str], span: Span) -> None:
        out.append(placeholder(span))
        self._hidden.append(span)
        self._cut = self._released = span.end

    def _forget(self) -> None:
        """Keep no more of the decided text than context needs."""
        surplus = self._cut - CONTEXT_CHARACTERS
        if surplus > 0:
            self._raw = self._raw[surplus:]
            self._cut -= surplus
            self._released -= surplus
