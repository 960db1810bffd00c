"""A follow-up finds what its message says as well as what it means, each passage once."""

from uuid import UUID, uuid4

import pytest

from domain.knowledge.join import joined
from domain.knowledge.passage import Passage
from domain.knowledge.search import Found

_COLLECTION, _DOCUMENT = uuid4(), uuid4()


def passage(number: int, fused: float, *, score: float = 0.5, document: UUID = _DOCUMENT) -> Passage:
    return Passage(
        id=str(UUID(int=number)),
        collection_id=_COLLECTION,
        document_id=document,
        title="",
        heading="",
        page=None,
        char_start=number * 100,
        char_end=number * 100 + 90,
        text=f"passage {number}",
        score=score,
        explanation={"fused": fused},
    )


def found(*passages: Passage, answerable: float = 0.5) -> Found:
    return Found(list(passages), answerable, None, {}, list(passages))


def numbers(found: Found) -> list[int]:
    return [UUID(one.id).int for one in found.passages]


def test_what_both_searches_found_comes_before_what_only_one_did() -> None:
    said = found(passage(1, 0.8), passage(2, 0.7))
    rewritten = found(passage(3, 1.0), passage(2, 0.8))
    assert numbers(joined(said, rewritten, limit=6)) == [2, 3, 1]


def test_the_rewritten_question_weighs_more() -> None:
    assert numbers(joined(found(passage(1, 0.9)), found(passage(2, 0.9)), limit=6)) == [2, 1]


def test_a_passage_of_both_has_the_score_of_the_rewritten_question() -> None:
    both = joined(found(passage(1, 1.0, score=0.1)), found(passage(1, 1.0, score=0.9), answerable=0.7), limit=6)
    assert [one.score for one in both.passages] == [0.9]
    assert both.answerable == 0.7


def test_limit_and_least_score_hold_for_the_whole() -> None:
    said = found(passage(1, 1.0, score=0.9), passage(2, 0.9, score=0.1))
    rewritten = found(passage(3, 1.0, score=0.8), passage(4, 0.9, score=0.7))
    assert numbers(joined(said, rewritten, limit=2, min_score=0.5)) == [3, 4]
    assert numbers(joined(said, rewritten, limit=6, min_score=0.5)) == [3, 4, 1]


def test_scores_below_zero_keep_their_order() -> None:
    rewritten = found(passage(1, -3.0), passage(2, -1.0), passage(3, -2.0))
    assert numbers(joined(found(), rewritten, limit=6)) == [2, 3, 1]


@pytest.mark.parametrize("empty", ["said", "rewritten"])
def test_a_search_that_found_nothing_takes_nothing_away(empty: str) -> None:
    some, none = found(passage(1, 1.0), passage(2, 0.5)), found()
    both = joined(none, some, limit=6) if empty == "said" else joined(some, none, limit=6)
    assert numbers(both) == [1, 2]
