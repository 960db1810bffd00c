"""Whatever happens to an ingestion, its document ends as ready or as failed with a reason, and counts once."""

import asyncio
import hashlib
from pathlib import Path

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.testing import ActivityEnvironment

from contracts.ingest import FinishIngestInput, IndexBatchInput
from domain.errors import NotFound
from domain.knowledge import store
from domain.knowledge.removal import Removal
from domain.knowledge.storage import extracted_key, original_key
from tests.knowledge.library import BOOK, PAGE, Library
from tests.knowledge.pdf import make_pdf
from workflows.ingest import IngestWorkflow


async def test_an_uploaded_page_is_found_and_its_places_are_true(library: Library) -> None:
    input = await library.upload(PAGE, "refunds.md")
    outcome = await library.ingest(input)
    assert (outcome.passages, outcome.failed) == (2, None)
    row = await library.row(input.document_id)
    assert (row.state, row.title, row.media_type) == ("ready", "Refunds", "text/markdown")
    assert (row.passages, row.passages_done, row.error_code) == (2, 2, None)
    extracted = (await library.storage.get(library.org, extracted_key(row.id, 1))).decode()
    found = await library.knowledge.search(library.org, [library.collection], "refund in Norway")
    assert found[0].heading == "Refunds > Norway"
    assert all(extracted[p.char_start : p.char_end] == p.text for p in found)


async def test_a_pdf_is_cited_with_its_page(library: Library) -> None:
    pdf = make_pdf(["Apples cost two crowns.", "Pears cost three crowns."])
    await library.ingest(await library.upload(pdf, "prices.pdf"))
    [best, *_] = await library.knowledge.search(library.org, [library.collection], "What do pears cost?")
    assert (best.text, best.page) == ("Pears cost three crowns.", 2)


async def test_a_worker_that_stops_in_the_middle_is_replaced_and_nothing_is_lost_or_doubled(library: Library) -> None:
    input = await library.upload(BOOK, "book.md")
    async with library.worker():
        handle = await library.start(input)
        while (await handle.query(IngestWorkflow.state)).step == "queued":
            await asyncio.sleep(0.01)
    assert (await library.row(input.document_id)).state != "ready"
    async with library.worker():
        assert (await handle.result()).passages == 150
    assert (await library.find("riddle 77"))[0] == "The answer to riddle 77 is number 5929."
    again = await library.knowledge.search(library.org, [library.collection], "riddle", limit=500)
    assert len(again) == len({p.id for p in again})


async def test_every_step_repeated_ends_the_same(library: Library) -> None:
    input = await library.upload(PAGE, "refunds.md")
    steps = library.activities
    environment = ActivityEnvironment()
    for _ in range(2):
        parsed = await environment.run(steps.parse_document, input)
        for _ in range(2):
            await environment.run(steps.index_batch, IndexBatchInput(ingest=input, start=0, stop=parsed.passages))
    finish = FinishIngestInput(ingest=input, passages=parsed.passages, pages=parsed.pages)
    first = await environment.run(steps.finish_ingest, finish)
    assert await environment.run(steps.finish_ingest, finish) == first
    assert len(await library.find("refund")) == 2
    assert (await library.row(input.document_id)).state == "ready"


@pytest.mark.parametrize(
    ("data", "name", "why"),
    [(b"%PDF-1.4 broken", "a.pdf", "corrupt"), (make_pdf(["x"], password="p"), "b.pdf", "encrypted")],
)
async def test_an_unreadable_file_ends_as_failed_with_a_reason(
    library: Library, data: bytes, name: str, why: str
) -> None:
    input = await library.upload(data, name)
    assert (await library.ingest(input)).failed == "document_unreadable"
    row = await library.row(input.document_id)
    assert (row.state, row.error_code) == ("failed", "document_unreadable")
    assert why in (row.error_detail or "")


async def test_a_failed_document_uploaded_again_is_tried_again(library: Library) -> None:
    input = await library.upload(PAGE, "refunds.md")
    await library.storage.delete(library.org, f"documents/{input.document_id}")
    assert (await library.ingest(input)).failed == "document_unreadable"
    second = await library.upload(PAGE, "refunds.md")
    assert (second.document_id, second.revision) == (input.document_id, 2)
    assert (await library.ingest(second)).failed is None
    third = await library.upload(PAGE, "again.md")
    assert (third.document_id, third.revision) == (input.document_id, 2)


async def test_an_older_run_changes_nothing(library: Library) -> None:
    old = await library.upload(PAGE, "refunds.md")
    async with library.database.session(library.org) as session:
        new = library.input(await store.retry_document(session, old.document_id))
    assert (await library.ingest(new)).failed is None
    before = await library.row(old.document_id)
    assert (await library.ingest(old)).failed == "superseded"
    assert await library.row(old.document_id) == before


async def test_a_deleted_document_leaves_nothing_behind(library: Library, tmp_path: Path) -> None:
    input = await library.upload(PAGE, "refunds.md")
    await library.ingest(input)
    async with library.database.session(library.org) as session:
        document = await store.delete_document(session, input.document_id)
        removal = Removal(library.knowledge.index, library.storage)
        await removal.document(library.org, document.collection_id, document.id)
    assert await library.find("refund") == []
    assert not list((tmp_path / "objects").rglob("*text*"))
    steps = ActivityEnvironment()
    with pytest.raises(Exception, match="no such document"):
        await steps.run(library.activities.index_batch, IndexBatchInput(ingest=input, start=0, stop=2))
    with pytest.raises(NotFound):
        await library.row(input.document_id)


async def test_a_cancelled_ingestion_ends_as_failed(library: Library) -> None:
    input = await library.upload(BOOK, "book.md")
    async with library.worker():
        handle = await library.start(input)
        while (await library.row(input.document_id)).state != "indexing":
            await asyncio.sleep(0.01)
        await handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    row = await library.row(input.document_id)
    assert (row.state, row.error_code) == ("failed", "cancelled")
    assert await library.find("riddle 7") == []


async def test_a_workflow_may_start_before_its_row_is_committed(library: Library) -> None:
    digest = hashlib.sha256(PAGE).hexdigest()
    async with library.worker():
        async with library.database.session(library.org) as session:
            added = await store.add_document(
                session,
                library.org,
                library.collection,
                filename="refunds.md",
                media_type="text/markdown",
                size_bytes=len(PAGE),
                sha256=digest,
            )
            await library.storage.put(library.org, original_key(added.document.id, digest), PAGE)
            handle = await library.start(library.input(added.document))
            await asyncio.sleep(0.3)
        assert (await handle.result()).failed is None
