"""Nothing is stranded and nothing grows for ever: maintenance starts, forgets and tidies what is due, and only that."""

from datetime import timedelta
from uuid import uuid4

from sqlalchemy import update
from sqlmodel import col, select
from temporalio.client import Client

from contracts.ids import ingest_workflow_id
from contracts.maintenance import MaintenanceInput, MaintenanceReport
from contracts.queues import INGEST
from db.tables.auth import IdempotencyKey
from db.tables.columns import now
from db.tables.knowledge import Document, Embedding
from domain.auth import repeat_store
from domain.auth.org_store import list_orgs
from runtime.schedules import ensure_schedules
from tests.knowledge.library import PAGE, Library
from workflows.maintenance import MaintenanceWorkflow


async def maintain(library: Library) -> MaintenanceReport:
    return await library.client.execute_workflow(
        MaintenanceWorkflow.run, MaintenanceInput(tidies=True), id=f"maintenance-{uuid4()}", task_queue=INGEST
    )


async def untouched_since(library: Library, age: timedelta) -> None:
    async with library.database.session(library.org) as session:
        await session.exec(update(Document).values(updated_at=now() - age))


async def test_a_document_that_nobody_started_is_ingested(library: Library) -> None:
    input = await library.upload(PAGE, "refunds.md")
    async with library.worker():
        await maintain(library)
        assert (await library.row(input.document_id)).state == "queued", "its request may still be at work"
        await untouched_since(library, timedelta(minutes=2))
        assert (await maintain(library)).restarted >= 1
        await library.client.get_workflow_handle(ingest_workflow_id(input.document_id)).result()
    assert (await library.row(input.document_id)).state == "ready"


async def test_a_document_whose_run_was_terminated_is_ingested_and_one_that_runs_is_left_alone(
    library: Library,
) -> None:
    ended, runs = await library.upload(PAGE, "ended.md"), await library.upload(PAGE + b"more", "runs.md")
    await (await library.start(ended)).terminate()
    handle = await library.start(runs)
    first = (await handle.describe()).run_id
    await untouched_since(library, timedelta(minutes=2))
    stranded = await library.stranded()
    assert [document.ingest.document_id for document in stranded] == [ended.document_id]
    assert (await handle.describe()).run_id == first
    await handle.terminate()


async def test_old_answers_and_unused_vectors_are_forgotten_and_the_rest_is_kept(library: Library) -> None:
    await library.ingest(await library.upload(PAGE, "refunds.md"))
    async with library.database.session(library.org) as session:
        for key, hours in (("old", 25), ("new", 23)):
            await repeat_store.claim(session, library.org, key, "POST /", "hash")
            aged = update(IdempotencyKey).where(col(IdempotencyKey.key) == key)
            await session.exec(aged.values(created_at=now() - timedelta(hours=hours)))
        kept = (await session.exec(select(Embedding))).all()
        assert len(kept) == 2
        aged = update(Embedding).where(col(Embedding.content_hash) == kept[0].content_hash)
        await session.exec(aged.values(used_at=now() - timedelta(days=31)))
    async with library.worker():
        report = await maintain(library)
    assert report.pruned.idempotency_keys >= 1
    assert report.pruned.embeddings >= 1
    async with library.database.session(library.org) as session:
        assert list(await session.exec(select(IdempotencyKey.key))) == ["new"]
        assert list(await session.exec(select(Embedding.content_hash))) == [kept[1].content_hash]


async def test_a_collection_with_loose_passages_is_tidied_and_then_left_alone(library: Library) -> None:
    for number in range(3):
        await library.ingest(await library.upload(PAGE + b"%d" % number, f"{number}.md"))
    await library.loose_passage()
    index = library.knowledge.index
    assert await index.untidied(library.org, library.collection) == 1
    async with library.worker():
        assert (await maintain(library)).tidied >= 1
    assert await index.untidied(library.org, library.collection) == 0
    assert not await index.untidy(library.org, library.collection)


async def test_only_ids_of_organisations_are_known_to_maintenance(library: Library) -> None:
    assert library.org in await list_orgs(library.database)
    async with library.database.pool.acquire() as connection:
        assert await connection.fetch("SELECT * FROM documents") == []
        assert await connection.fetch("SELECT * FROM orgs") == [], "the permission ends with the function"


async def test_schedules_are_made_once_and_stay_paused_when_an_operator_paused_them(temporal_client: Client) -> None:
    await ensure_schedules(temporal_client)
    handle = temporal_client.get_schedule_handle("maintenance/sweep")
    await handle.pause(note="an operator looks into something")
    await ensure_schedules(temporal_client)
    described = await handle.describe()
    assert described.schedule.state.paused
    assert described.schedule.spec.intervals[0].every == timedelta(minutes=1)
    listed = [each.id async for each in await temporal_client.list_schedules()]
    names = sorted(name for name in listed if name.startswith("maintenance/"))
    assert names == ["maintenance/sweep", "maintenance/tidy"]
    for name in names:
        await temporal_client.get_schedule_handle(name).delete()
