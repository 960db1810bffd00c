"""Citations: from the markers in a reply to the places in documents that they mean."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

_MARKER = re.compile(r"\[(\d{1,2}(?:\s*,\s*\d{1,2})*)\]")


def markers(text: str) -> list[int]:
    """The numbers in markers like [1] or [2, 3], in order of first appearance."""
    numbers = (int(part) for match in _MARKER.finditer(text) for part in match[1].split(","))
    return list(dict.fromkeys(numbers))


def cited(text: str, evidence: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the reply's markers resolve to; a marker without evidence is left out.

    char_start and char_end are code points in the document's extracted text.
    """
    known = {passage["marker"]: passage for passage in evidence}
    return [_citation(known[number]) for number in markers(text) if number in known]


def _citation(passage: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "marker": passage["marker"],
        "passage_id": passage["passage_id"],
        "collection_id": str(passage["collection_id"]),
        "document_id": str(passage["document_id"]),
        "title": passage["title"],
        "heading": passage["heading"],
        "page": passage["page"],
        "char_start": passage["char_start"],
        "char_end": passage["char_end"],
        "quote": passage["text"],
    }
