"""How long a caller that does not stream waits for a turn that is parked."""

import asyncio
from datetime import UTC, datetime

from api.openai_chat import Answer
from domain.conversations.hub import Subscription
from domain.conversations.log import LoggedEvent
from domain.errors import ProviderUnavailable

_SECONDS = 20.0
"""From the first pause on. Proxies close what is silent for 30 to 60 s; a client that is told asks again by itself."""


class Patience:
    """Of one caller for one answer. A turn that is not parked is waited for without a limit."""

    def __init__(self) -> None:
        self._deadline: float | None = None

    async def next(self, events: Subscription, answer: Answer) -> list[LoggedEvent]:
        """The next events. Raises ProviderUnavailable when a parked turn will not, or did not, go on in time."""
        clock = asyncio.get_running_loop().time
        pause = 0.0
        if answer.parked_until is not None:
            pause = max(0.0, (answer.parked_until - datetime.now(UTC)).total_seconds())
            self._deadline = self._deadline or clock() + _SECONDS
        if self._deadline is None:
            return await events.next()
        rest = self._deadline - clock()
        if pause > rest:
            raise _too_long(pause)
        try:
            async with asyncio.timeout(rest):
                return await events.next()
        except TimeoutError:
            raise _too_long(pause) from None


def _too_long(pause: float) -> ProviderUnavailable:
    return ProviderUnavailable(
        "no model can answer now; with an Idempotency-Key of yours, the same request again gets the answer",
        kind="overload",
        retry_after=max(pause, 1.0),
    )
