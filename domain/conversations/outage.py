"""How long a parked turn waits before it tries again, and what its customer reads meanwhile. No clock, no I/O."""

from domain.agents.outage import OutageSettings
from domain.conversations.notices import HANDOVER, NOTICE

_MOST_PAUSES = 500
"""A pause is some 15 events of a history that ends at 51,200, and a step of a fence that counts 4,095."""

_SPREAD = 0.25
"""A thousand turns that were parked together do not come back together: each waits up to a quarter longer."""


def pause_seconds(
    settings: OutageSettings, *, pauses: int, waited: float, retry_after: float | None, luck: float
) -> float | None:
    """The next pause; None when it is time to give up. luck: 0..1, another for each turn.

    Never before the provider wants to be asked again, except for the one last try when time is up.
    """
    rest = settings.give_up_seconds - waited
    if rest <= 0:
        return None
    longest = max(settings.longest_pause_seconds, settings.give_up_seconds / _MOST_PAUSES)
    grown = min(settings.first_pause_seconds * 2.0 ** min(pauses, 30), longest)
    asked = max(grown, retry_after or 0)
    return min(asked * (1 + _SPREAD * luck), rest)


def notice(settings: OutageSettings, language: str) -> str:
    """What the customer reads when the turn is parked."""
    return _in(language, settings.notice, NOTICE)


def handover(settings: OutageSettings, language: str) -> str:
    """What the customer reads when a person must answer."""
    return _in(language, settings.handover, HANDOVER)


def _in(language: str, own: dict[str, str], house: dict[str, str]) -> str:
    """The agent's words in this language, else the house's, else English: the agent's before the house's."""
    return own.get(language) or house.get(language) or own.get("en") or house["en"]
