"""Mends the broken JSON of a tool call where one reading of it is certain, and refuses the rest.

A tool may move money: a value that was cut off or left out is never made up.
"""

import json
import re
from typing import Any

import json_repair

from domain.tools.arguments import faults

_LONGEST = 50_000
"""Mending is many times slower than parsing; larger arguments are refused unread."""

_FENCE = re.compile(r"^```(?:json)?\s*\n(.*?)\n?```$", re.DOTALL | re.IGNORECASE)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"' + r"|'(?:[^'\\]|\\.)*'", re.DOTALL)
_HOLE = re.compile(r"[:\[,]\s*[,}\]]")
_TRAILING_COMMA = re.compile(r",(?=\s*[}\]])")


def mended(text: str, schema: dict[str, Any] | None) -> dict[str, Any] | None:
    """The object that `text` was meant to be; None when that is not certain, or it does not fit the schema.

    Mended are code fences, objects sent twice or after an empty one, brackets too many, and, in a text that ends
    with its own closing bracket, single quotes, bare keys, Python's words, comments, missing and trailing commas
    and unescaped characters.
    """
    if schema is None or len(text) > _LONGEST:
        return None
    fenced = _FENCE.match(text.strip())
    text = fenced[1].strip() if fenced else text.strip()
    try:
        meant = _sent_once(text) or _repaired(text)
        return meant if meant is not None and not faults(schema, meant) else None
    except RecursionError:  # nesting without end
        return None


def _sent_once(text: str) -> dict[str, Any] | None:
    """The one object of a text that is nothing but whole objects, when all that are not empty say the same."""
    decoder, found = json.JSONDecoder(), []
    while text.strip(" \t\r\n}]"):
        try:
            value, end = decoder.raw_decode(text)
        except ValueError:
            return None
        if value != {}:
            found.append(value)
        text = text[end:].strip()
    return found[0] if found and isinstance(found[0], dict) and all(value == found[0] for value in found) else None


def _repaired(text: str) -> dict[str, Any] | None:
    bare = _TRAILING_COMMA.sub("", _STRING.sub("0", text))
    whole = text.startswith("{") and text.endswith("}") and bare.count("{") == bare.count("}")
    if not whole or bare.count("[") != bare.count("]") or _HOLE.search(bare.replace("{}", "0").replace("[]", "0")):
        return None
    if _ends_early(bare):
        return None
    value = json_repair.loads(text, skip_json_loads=True)
    return value if isinstance(value, dict) else None


def _ends_early(bare: str) -> bool:
    """Whether the first object closes before the text ends: then there are several, and which is meant is unknown."""
    depth = 0
    for place, letter in enumerate(bare):
        depth += (letter == "{") - (letter == "}")
        if depth == 0:
            return place < len(bare) - 1
    return True
