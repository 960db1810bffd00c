"""A filter only narrows: what it leaves out is never found, in memory and on disk alike, in no other organisation."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from pydantic import ValidationError

from contracts.ingest import IngestInput
from domain.knowledge.chunk import chunk
from domain.knowledge.e5 import E5Embedder
from domain.knowledge.filters import Filters
from domain.knowledge.index import embedded_text
from domain.knowledge.parse import parse
from domain.knowledge.search import Knowledge

TITLES = {"Returns": "application/pdf", "Refund's rules": "text/html", "Pictures": "image/png"}


async def shelf(knowledge: Knowledge, org: UUID, collection: UUID) -> dict[str, UUID]:
    """One document of each title, the second as its third revision."""
    made = {}
    for number, (title, media_type) in enumerate(TITLES.items()):
        document = IngestInput(
            org_id=org, collection_id=collection, document_id=uuid4(), revision=3 if number == 1 else 1
        )
        chunks = chunk(parse(f"Refunds of kind {number} take days.".encode(), "a.txt"), document.document_id)
        vectors = await knowledge.embedder.passages([embedded_text(title, one) for one in chunks])
        await knowledge.index.replace(document, title, chunks, vectors, media_type=media_type)
        made[title] = document.document_id
    return made


@pytest.mark.parametrize("most_held", [20_000, 0])
async def test_each_filter_lets_through_what_it_names(tmp_path: Path, embedder: E5Embedder, most_held: int) -> None:
    knowledge = Knowledge(tmp_path / "lance", embedder, most_held=most_held)
    org, collection = uuid4(), uuid4()
    ids = await shelf(knowledge, org, collection)
    now = datetime.now(UTC)
    expected = {
        Filters(): set(TITLES),
        Filters(document_ids=(ids["Returns"], uuid4())): {"Returns"},
        Filters(media_types=("application/pdf", "image/")): {"Returns", "Pictures"},
        Filters(media_types=("application",)): set(),
        Filters(titles=("Refund's rules",)): {"Refund's rules"},
        Filters(titles=("x') OR ('1'='1",)): set(),
        Filters(revision=3): {"Refund's rules"},
        Filters(indexed_after=now - timedelta(hours=1), indexed_before=now + timedelta(hours=1)): set(TITLES),
        Filters(indexed_after=now + timedelta(hours=1)): set(),
        Filters(document_ids=(ids["Returns"],), media_types=("image/",)): set(),
    }
    for filters, titles in expected.items():
        found = await knowledge.find(org, [collection], "refunds", filters=filters)
        assert {passage.title for passage in found.passages} == titles, filters
        assert (found.answerable == 0) == (not titles)


async def test_a_filter_opens_no_other_organisation(tmp_path: Path, embedder: E5Embedder) -> None:
    knowledge = Knowledge(tmp_path / "lance", embedder)
    org, stranger, collection = uuid4(), uuid4(), uuid4()
    ids = await shelf(knowledge, org, collection)
    filters = Filters(document_ids=tuple(ids.values()))
    assert await knowledge.search(stranger, [collection], "refunds", filters=filters) == []


def test_a_filter_nobody_knows_is_refused() -> None:
    with pytest.raises(ValidationError):
        Filters.model_validate({"colour": "red"})
