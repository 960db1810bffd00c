"""A found passage is shown with the text around it: true to its document, nothing twice, nothing of another section."""

import itertools
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import pytest

from contracts.ingest import IngestInput
from contracts.turn import PassageRef
from domain.knowledge.chunk import Chunk, chunk
from domain.knowledge.e5 import E5Embedder
from domain.knowledge.extract import Block, Extract, assemble
from domain.knowledge.neighbours import widened
from domain.knowledge.passage import Passage
from domain.knowledge.search import Knowledge

_COLLECTION, _DOCUMENT = uuid4(), uuid4()


def extract() -> Extract:
    first = " ".join(f"Sentence number {n} of the first part tells one more thing." for n in range(80))
    second = " ".join(f"Sentence number {n} of the second part tells another." for n in range(40))
    blocks = [
        Block("heading", "First", level=1),
        Block("prose", first),
        Block("heading", "Second", level=1),
        Block("prose", second),
    ]
    return assemble(blocks, title="Parts", media_type="text/plain", pages=0)


def passages_of(chunks: list[Chunk]) -> list[Passage]:
    return [
        Passage(
            id=one.id,
            collection_id=_COLLECTION,
            document_id=_DOCUMENT,
            title="Parts",
            heading=one.heading,
            page=one.page,
            char_start=one.char_start,
            char_end=one.char_end,
            text=one.text,
        )
        for one in chunks
    ]


def same(text: str) -> str:
    return " ".join(text.split())


def test_the_text_around_is_that_of_the_document() -> None:
    text, all_of_it = extract().text, passages_of(chunk(extract(), _DOCUMENT))
    [wide] = widened([all_of_it[2]], all_of_it, 1)
    assert (wide.char_start, wide.char_end) == (all_of_it[1].char_start, all_of_it[3].char_end)
    assert len(wide.text) == wide.char_end - wide.char_start
    assert same(wide.text) == same(text[wide.char_start : wide.char_end])
    assert wide.id == all_of_it[2].id


@pytest.mark.parametrize("count", [1, 2, 3])
def test_no_text_is_shown_twice_that_the_passages_did_not_share(count: int) -> None:
    text, all_of_it = extract().text, passages_of(chunk(extract(), _DOCUMENT))
    chosen = [all_of_it[3], all_of_it[0], all_of_it[-2]]
    wide = widened(chosen, all_of_it, count)
    spans = sorted((one.char_start, one.char_end) for one in wide)
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))
    assert all(same(one.text) == same(text[one.char_start : one.char_end]) for one in wide)


def test_neighbours_that_were_both_found_stay_as_they_are() -> None:
    all_of_it = passages_of(chunk(extract(), _DOCUMENT))
    middle = all_of_it[1:3]
    wide = widened(middle, middle, 2)
    assert wide == middle


def test_another_section_page_or_document_is_not_added() -> None:
    all_of_it = passages_of(chunk(extract(), _DOCUMENT))
    last = [one for one in all_of_it if one.heading == "First"][-1]
    [wide] = widened([last], all_of_it, 3)
    assert wide.char_end == last.char_end
    for changed in (
        [replace(one, page=2) for one in all_of_it],
        [replace(one, document_id=uuid4()) for one in all_of_it],
        [replace(one, collection_id=uuid4()) for one in all_of_it],
    ):
        assert widened([last], changed, 3) == [last]


@pytest.mark.parametrize("most_held", [20_000, 0])
async def test_passages_come_with_their_neighbours_from_memory_and_from_disk(
    tmp_path: Path, embedder: E5Embedder, most_held: int
) -> None:
    knowledge = Knowledge(tmp_path / "lance", embedder, most_held=most_held)
    document = IngestInput(org_id=uuid4(), collection_id=uuid4(), document_id=uuid4())
    chunks = chunk(extract(), document.document_id)
    vectors = np.eye(len(chunks), 384, dtype=np.float32)
    await knowledge.index.replace(document, "Parts", chunks, vectors)

    async def shown(number: int, neighbours: int) -> Passage:
        ref = PassageRef(
            collection_id=document.collection_id,
            document_id=document.document_id,
            passage_id=chunks[number].id,
            score=0.5,
        )
        [one] = await knowledge.passages(document.org_id, [ref], neighbours=neighbours)
        return one

    alone, one, two = [await shown(2, neighbours) for neighbours in (0, 1, 2)]
    assert alone.text == chunks[2].text
    assert (one.char_start, one.char_end) == (chunks[1].char_start, chunks[3].char_end)
    assert (two.char_start, two.char_end) == (chunks[0].char_start, chunks[4].char_end)
    assert UUID(two.id) == UUID(chunks[2].id)
    assert two.score == 0.5
