"""Messages that arrive while a turn runs."""

from typing import Protocol

from contracts.turn import IncomingMessage


class Arrivals(Protocol):
    """What a running turn may know of the messages behind it."""

    def waiting(self) -> bool: ...

    def take(self) -> list[IncomingMessage]: ...


class NoArrivals:
    """For a turn nobody can add to."""

    def waiting(self) -> bool:
        return False

    def take(self) -> list[IncomingMessage]:
        return []


class Joined(Exception):
    """A newer message joined before the reply said anything: prepare again, with both."""
