"""Citations: the markers in a reply. What they mean is looked up where the turn ends, in `end_turn`."""

import re

_MARKER = re.compile(r"\[(\d{1,2}(?:\s*,\s*\d{1,2})*)\]")


def markers(text: str) -> list[int]:
    """The numbers in markers like [1] or [2, 3], in order of first appearance."""
    numbers = (int(part) for match in _MARKER.finditer(text) for part in match[1].split(","))
    return list(dict.fromkeys(numbers))
