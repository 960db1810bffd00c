"""Labels narrow a search, on both kinds of view and in old tables, and changing them embeds nothing."""

import json
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import lancedb
import pytest
from pydantic import ValidationError

from contracts.ingest import IngestInput
from db.tables.columns import now
from domain.errors import Invalid
from domain.knowledge import embedding_store, label_store, store
from domain.knowledge.chunk import chunk
from domain.knowledge.e5 import E5Embedder
from domain.knowledge.filters import Filters
from domain.knowledge.index import embedded_text
from domain.knowledge.labels import read_filter, read_labels
from domain.knowledge.lance import schema, table_name, word_index
from domain.knowledge.parse import parse
from domain.knowledge.relabel import Relabelling
from domain.knowledge.search import Knowledge
from domain.knowledge.storage import document_prefix
from tests.knowledge.library import BOOK, PAGE, Library
from tests.knowledge.test_versions import vectors

SHELF = {
    "Premium router": {"plan": "premium", "product": "router"},
    "Basic router": {"plan": "basic", "product": "router"},
    "Basic phone": {"plan": "basic", "product": "phone"},
    "Quoted": {"plan": "it's a=b, 'x') OR ('1'='1"},
    "Bare": {},
}
PREMIUM = Filters(labels={"plan": ("premium",)})


async def shelf(knowledge: Knowledge, org: UUID, collection: UUID) -> dict[str, UUID]:
    made = {}
    for number, (title, labels) in enumerate(SHELF.items()):
        document = IngestInput(org_id=org, collection_id=collection, document_id=uuid4())
        chunks = chunk(parse(f"Refunds of kind {number} take days.".encode(), "a.txt"), document.document_id)
        vectors = await knowledge.embedder.passages([embedded_text(title, one) for one in chunks])
        await knowledge.index.replace(document, title, chunks, vectors, labels=labels)
        made[title] = document.document_id
    return made


async def found(knowledge: Knowledge, org: UUID, collection: UUID, **labels: tuple[str, ...]) -> set[str]:
    answer = await knowledge.find(org, [collection], "refunds", limit=10, filters=Filters(labels=labels))
    return {passage.title for passage in answer.passages}


@pytest.mark.parametrize("most_held", [20_000, 0])
async def test_any_value_of_a_key_and_every_key_must_hold(tmp_path: Path, embedder: E5Embedder, most_held: int) -> None:
    knowledge = Knowledge(tmp_path / "lance", embedder, most_held=most_held)
    org, collection = uuid4(), uuid4()
    ids = await shelf(knowledge, org, collection)

    async def titles(**labels: tuple[str, ...]) -> set[str]:
        return await found(knowledge, org, collection, **labels)

    assert await titles() == set(SHELF)
    assert await titles(plan=("premium",)) == {"Premium router"}
    assert await titles(plan=("premium", "basic")) == {"Premium router", "Basic router", "Basic phone"}
    assert await titles(plan=("basic",), product=("router", "switch")) == {"Basic router"}
    assert await titles(plan=("router",)) == set(), "a value of another key"
    assert await titles(plan=("prem",)) == set(), "a part of a value"
    assert await titles(colour=("red",)) == set()
    assert await titles(plan=("it's a=b, 'x') OR ('1'='1",)) == {"Quoted"}
    assert await titles(plan=("x') OR ('1'='1",)) == set()
    await knowledge.index.relabel(org, collection, ids["Bare"], {"plan": "premium"})
    await knowledge.index.relabel(org, collection, ids["Premium router"], {})
    assert await titles(plan=("premium",)) == {"Bare"}
    assert await titles(product=("router",)) == {"Basic router"}
    assert await titles() == set(SHELF)


@pytest.mark.parametrize("most_held", [20_000, 0])
async def test_labels_open_no_other_organisation(tmp_path: Path, embedder: E5Embedder, most_held: int) -> None:
    knowledge = Knowledge(tmp_path / "lance", embedder, most_held=most_held)
    org, stranger, collection = uuid4(), uuid4(), uuid4()
    ids = await shelf(knowledge, org, collection)
    assert await found(knowledge, stranger, collection, plan=("premium",)) == set()
    await knowledge.index.relabel(stranger, collection, ids["Bare"], {"plan": "premium"})
    assert await found(knowledge, org, collection, plan=("premium",)) == {"Premium router"}


@pytest.mark.parametrize("most_held", [20_000, 0])
async def test_a_table_of_before_labels_is_searched_and_takes_them(
    tmp_path: Path, embedder: E5Embedder, most_held: int
) -> None:
    knowledge = Knowledge(tmp_path / "lance", embedder, most_held=most_held)
    org, collection, document = uuid4(), uuid4(), uuid4()
    old = schema().remove(schema().get_field_index("labels"))
    table = await (await lancedb.connect_async(tmp_path / "lance" / str(org))).create_table(
        table_name(collection), schema=old
    )
    await table.create_index("search_text", config=word_index())
    [vector] = await embedder.passages(["Refunds take days."])
    text = {"text": "Refunds take days.", "search_text": "Refunds take days."}
    known = {"id": str(uuid4()), "document_id": str(document), "revision": 1, "title": "Old", "heading": ""}
    place = {"page": None, "char_start": 0, "char_end": 18, "media_type": "", "indexed_at": 0}
    await table.add([{**known, **text, **place, "vector": vector}])
    assert await found(knowledge, org, collection) == {"Old"}
    assert await found(knowledge, org, collection, plan=("basic",)) == set()
    await knowledge.index.relabel(org, collection, document, {"plan": "basic"})
    assert await found(knowledge, org, collection, plan=("basic",)) == {"Old"}


async def test_other_labels_read_and_embed_nothing_and_outlive_new_content(library: Library) -> None:
    first = await library.upload(BOOK, "book.md")
    await library.ingest(first)
    assert vectors(library) == (150, 0)
    # Neither kept vectors nor the file are there to be used.
    async with library.database.session(library.org) as session:
        assert await embedding_store.prune(session, before=now() + timedelta(hours=1)) == 150
    await library.storage.delete(library.org, document_prefix(first.document_id))
    async with library.database.session(library.org) as session:
        held = await store.get_document(session, first.document_id, lock=True)
        changed = await label_store.set_labels(session, held, {"plan": "premium"})
    assert (changed.state, changed.revision, changed.labels_stale) == ("ready", 1, True)
    relabelling = Relabelling(library.database, library.knowledge.index)
    await relabelling.document(library.org, first.document_id)
    assert not (await library.row(first.document_id)).labels_stale
    assert await library.knowledge.index.untidied(library.org, library.collection) == 0
    everything = await library.knowledge.search(library.org, [library.collection], "riddle 77", filters=PREMIUM)
    assert everything[0].text == "The answer to riddle 77 is number 5929."
    assert vectors(library) == (150, 0)
    async with library.database.session(library.org) as session:
        assert await embedding_store.prune(session, before=now() + timedelta(hours=1)) == 0, "nothing was embedded"
    await library.ingest(await library.replace(first.document_id, PAGE, "book.md"))
    [best, *_] = await library.knowledge.search(library.org, [library.collection], "refunds", filters=PREMIUM)
    assert "thirty days" in best.text


async def test_labels_that_a_dead_process_left_out_of_the_index_are_put_there_by_maintenance(library: Library) -> None:
    first = await library.upload(PAGE, "page.md")
    await library.ingest(first)
    async with library.database.session(library.org) as session:
        held = await store.get_document(session, first.document_id, lock=True)
        await label_store.set_labels(session, held, {"plan": "premium"})
    assert not await library.knowledge.search(library.org, [library.collection], "refunds", filters=PREMIUM)
    assert await library.stranded() == []
    assert await library.knowledge.search(library.org, [library.collection], "refunds", filters=PREMIUM)
    assert not (await library.row(first.document_id)).labels_stale


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("plan=premium", "/labels"),
        ("[]", "/labels"),
        ('{"Plan": "a"}', "/labels/Plan"),
        ('{"a/b": "a"}', "/labels/a~1b"),
        ('{"plan": 1}', "/labels/plan"),
        ('{"plan": ""}', "/labels/plan"),
        ('{"plan": "a\\u0000"}', "/labels/plan"),
        (json.dumps({"plan": "x" * 201}), "/labels/plan"),
        (json.dumps({f"k{n}": "v" for n in range(33)}), "/labels"),
    ],
)
def test_a_fault_in_labels_is_told_with_its_place(text: str, place: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_labels(text, pointer="/labels")
    assert caught.value.pointer == place


def test_labels_that_are_asked_for_have_a_key_and_a_value() -> None:
    assert read_filter(["plan=a=b", "plan=c", "product=d"]) == {"plan": ("a=b", "c"), "product": ("d",)}
    for pair in ("plan", "plan=", "=a", "Plan=a"):
        with pytest.raises(Invalid):
            read_filter([pair])
    with pytest.raises(ValidationError):
        Filters.model_validate({"labels": {"plan": []}})
