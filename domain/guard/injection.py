"""Signs that a text wants to take over the agent: weighted rules over the undisguised text. Not for harmful topics.

A rule of weight 1 is certain enough by itself; others must come together. Rules ask for the words of
an order to the agent ("ignore your instructions"), since single words ("ignore", "roleplay") are
everybody's. Tuned on public jailbreaks against harmless look-alikes.
"""

import re

from domain.guard.disguise import decoded, other_readings, plain
from domain.guard.injection_rules import RULES

_RULES = tuple((weight, tuple(words.split("|")), re.compile(pattern, re.DOTALL)) for weight, words, pattern in RULES)


def injection_score(text: str) -> float:
    """Sum of the weights of the rules that fire: 0 for ordinary text; see guard.py for the threshold.

    The highest of the text as it is, undisguised, and decoded.
    """
    undisguised = plain(text)
    readings = [undisguised, *other_readings(undisguised), *decoded(text)]
    return max(_score(reading) for reading in readings)


def _score(text: str) -> float:
    return sum(
        weight for weight, words, pattern in _RULES if any(word in text for word in words) and pattern.search(text)
    )
