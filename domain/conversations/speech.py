"""One model call's words on their way into the event log, at their place in the turn's reply."""

import asyncio

from contracts.turn import TurnRef
from domain.conversations.log import EventLog

_PAUSE = "\n\n"
"""Between the words of two model calls of one turn."""


class Speech:
    """Counts where each piece belongs, and goes on where an earlier attempt was cut off.

    said is the text of the turn's earlier model calls, shown is all that readers have seen.
    """

    def __init__(self, log: EventLog, ref: TurnRef, right: int, *, said: str, shown: str) -> None:
        self._log = log
        self._ref = ref
        self._right = right
        self._said = said
        self._own = shown[len(said) :]
        self._last: asyncio.Future[None] | None = None

    @property
    def added(self) -> str:
        """What this call added to the reply, the pause before it included."""
        return self._own

    @property
    def text(self) -> str:
        """What this call has said, as the model would see it."""
        return self._own.removeprefix(_PAUSE) if self._said else self._own

    def say(self, text: str) -> None:
        """Show text after everything before it. Raises what became of the words before, if it was bad."""
        if self._last is not None and self._last.done():
            self._last.result()
        if not text:
            return
        if self._said and not self._own:
            text = _PAUSE + text
        at = len(self._said) + len(self._own)
        ref = self._ref
        self._last = self._log.say(ref.org_id, ref.conversation_id, ref.turn_id, self._right, at, text)
        self._own += text

    async def heard(self) -> None:
        """Wait until every word is committed. Raises Superseded, or the database's own error."""
        if self._last is not None:
            await self._last
