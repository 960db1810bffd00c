"""Whether a search finds what a test expects, and how well. Not for keeping tests: see `retrieval_test_store.py`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from domain.knowledge.passage import Passage


@dataclass(frozen=True, slots=True)
class Expected:
    """What counts as a hit; each item once, at the best passage that has it. phrases: without case and spacing."""

    documents: tuple[UUID, ...] = ()
    passages: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """hits: what was met, with its place (1 is first). missed: what was not. Figures are 0..1."""

    hits: dict[str, int]
    missed: list[str]
    reciprocal_rank: float
    ndcg: float

    @property
    def hit(self) -> bool:
        return bool(self.hits)


def judge(found: Sequence[Passage], expected: Expected) -> Judged:
    """found: best first. nDCG gives each expected item a gain of one, and none for meeting it twice."""
    places = {name: place for name, place in _places(found, expected).items() if place is not None}
    missed = [name for name in _names(expected) if name not in places]
    gain = sum(1 / math.log2(place + 1) for place in places.values())
    # Two items may be met by one passage, so the best possible has all of them at the first.
    best = sum(1 / math.log2(place + 1) for place in _best_places(places, len(missed)))
    first = min(places.values(), default=0)
    return Judged(places, missed, 1 / first if first else 0.0, gain / best if best else 0.0)


def _best_places(places: dict[str, int], missed: int) -> list[int]:
    """Passages that were met stand first, as many items in each as there are; those missed follow one by one."""
    ranks = {place: rank for rank, place in enumerate(sorted(set(places.values())), 1)}
    met = [ranks[place] for place in places.values()]
    return met + [len(ranks) + number for number in range(1, missed + 1)]


def _names(expected: Expected) -> list[str]:
    return [
        *(f"document {id_}" for id_ in expected.documents),
        *(f"passage {id_}" for id_ in expected.passages),
        *(f"phrase {phrase}" for phrase in expected.phrases),
    ]


def _places(found: Sequence[Passage], expected: Expected) -> dict[str, int | None]:
    places: dict[str, int | None] = dict.fromkeys(_names(expected))
    for place, passage in reversed(list(enumerate(found, 1))):
        text = _plain(passage.text)
        if passage.document_id in expected.documents:
            places[f"document {passage.document_id}"] = place
        if passage.id in expected.passages:
            places[f"passage {passage.id}"] = place
        for phrase in expected.phrases:
            if _plain(phrase) in text:
                places[f"phrase {phrase}"] = place
    return places


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
