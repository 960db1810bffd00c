"""What time shows of a source: its schedule fires, its history is cut, its host is spared, its database moves on."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest
from pydantic import SecretStr
from temporalio.client import Client, ScheduleIntervalSpec, ScheduleSpec
from temporalio.common import TypedSearchAttributes

from api.schedules import crawl_schedule
from contracts.crawl import CrawlInput
from contracts.ids import crawl_workflow_id
from contracts.queues import INGEST
from db.engine import Database
from domain.knowledge import store as documents
from runtime.embedded.postgres import EmbeddedPostgres
from runtime.resources import open_resources
from runtime.settings import Settings
from tests.house import data_folder
from tests.knowledge.test_crawl import Shelf
from tests.knowledge.website import Site, website

FAQ = """
CREATE TABLE faq (nr int PRIMARY KEY, question text, answer text);
INSERT INTO faq VALUES (1, 'Do you ship to Norway?', 'Yes, in nine days.'), (2, 'Is there a shop?', 'In Rome.');
"""


@pytest.fixture
async def shop(postgres: EmbeddedPostgres) -> AsyncIterator[asyncpg.Connection]:
    """A connection to a customer's database beside ours."""
    name = f"shop_{uuid4().hex}"
    owner = await asyncpg.connect(postgres.url)
    await owner.execute(f"CREATE DATABASE {name}")
    await owner.close()
    connection = await asyncpg.connect(postgres.url.rpartition("/")[0] + f"/{name}")
    await connection.execute(FAQ)
    yield connection
    await connection.close()


@pytest.fixture
async def shelf(
    database: Database, postgres: EmbeddedPostgres, temporal_client: Client, org: UUID, tmp_path: Path
) -> Shelf:
    shelf = Shelf(database, temporal_client, org, settings(postgres, tmp_path))
    await shelf.open()
    return shelf


def settings(postgres: EmbeddedPostgres, folder: Path, **databases: SecretStr) -> Settings:
    return Settings(
        database_url=postgres.url,
        data_dir=data_folder(folder / "data"),
        allow_private_sources=True,
        source_databases=databases,
    )


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with website() as site:
        yield site


async def test_a_schedule_reads_the_source_again_and_again(shelf: Shelf, site: Site) -> None:
    site.html("/page", "Words")
    source = await shelf.add(kind="url", url=f"{site.url}/page")
    options = {"search_attributes": TypedSearchAttributes([])}
    schedule = crawl_schedule(CrawlInput(org_id=shelf.org, source_id=source.id), 5, options)
    schedule.spec = ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(seconds=1))])
    handle = await shelf.client.create_schedule(crawl_workflow_id(source.id), schedule)
    try:
        async with shelf.worker(), asyncio.timeout(30):
            while (await shelf.row(source)).run < 3:
                await asyncio.sleep(0.05)
            site.html("/page", "Other words")
            while not any(item.document_id and item.state == "stored" for item in (await shelf.items(source)).values()):
                await asyncio.sleep(0.05)
            await shelf.settled()
            # A source that is gone ends its schedule by itself.
            async with shelf.database.session(shelf.org) as session:
                await documents.delete_collection(session, shelf.collection)
            while [each async for each in await shelf.client.list_schedules() if each.id == handle.id]:
                await asyncio.sleep(0.1)
    finally:
        if [each async for each in await shelf.client.list_schedules() if each.id == handle.id]:
            await handle.delete()


async def test_a_large_site_continues_as_new_and_loses_and_repeats_no_page(shelf: Shelf, site: Site) -> None:
    paths = [f"/p{n}" for n in range(130)]
    site.html("/", "Start", *paths)
    for n, path in enumerate(paths):
        site.html(path, f"Page {n}.", head="" if n % 13 == 0 else '<meta name="robots" content="noindex">')
    source = await shelf.add(kind="website", url=f"{site.url}/", delay_seconds=0, sitemap=False)
    async with shelf.worker():
        first = await shelf.client.start_workflow(
            "CrawlWorkflow",
            CrawlInput(org_id=shelf.org, source_id=source.id, batches=2),
            id=crawl_workflow_id(source.id),
            task_queue=INGEST,
        )
        await first.result()
        await shelf.settled()
    runs = [run async for run in shelf.client.list_workflows(f"WorkflowId = '{first.id}'")]
    assert len(runs) >= 3, "it continued as new"
    assert {path: n for path, n in site.asked.items() if n > 1} == {}
    assert set(site.asked) >= {"/", *paths}
    states = list((await shelf.states(source)).values())
    assert (states.count("stored"), states.count("skipped")) == (11, 120)
    async with shelf.database.session(shelf.org) as session:
        assert await documents.count_documents(session, shelf.collection) == {"ready": 11}
        rows = await documents.list_documents(session, shelf.collection, limit=50)
    assert {row.revision for row in rows} == {1}


async def test_two_sources_of_one_host_take_turns_and_keep_its_pause(shelf: Shelf, site: Site) -> None:
    for side in ("a", "b"):
        site.html(f"/{side}", "Start", *(f"/{side}{n}" for n in range(6)))
        for n in range(6):
            site.html(f"/{side}{n}", f"Page {side}{n}.", head='<meta name="robots" content="noindex">')
            site.slow[f"/{side}{n}"] = 0.02
    sources = [
        await shelf.add(kind="website", url=f"{site.url}/{side}", delay_seconds=0.1, sitemap=False) for side in "ab"
    ]
    async with shelf.worker():
        handles = [await shelf.start(source) for source in sources]
        await asyncio.gather(*(handle.result() for handle in handles))
    assert site.most_at_once == 1
    assert [(await shelf.row(source)).state for source in sources] == ["ready", "ready"]
    assert {path: n for path, n in site.asked.items() if n > 1} == {"/robots.txt": 2}
    # Each source asks for robots.txt right before its first page; every other request waits for the host's pause.
    assert sum(later - earlier < 0.1 for earlier, later in pairwise(site.times)) <= 2


async def test_a_database_is_read_by_the_workflow_and_followed_as_it_changes(
    shelf: Shelf, shop: "asyncpg.Connection[asyncpg.Record]", postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    name = await shop.fetchval("SELECT current_database()")
    dsn = postgres.url.rpartition("/")[0] + f"/{name}"
    shelf.settings = settings(postgres, tmp_path, **{f"{shelf.org}/shop": SecretStr(dsn)})
    source = await shelf.add(kind="database", database="shop", tables=["public.faq"])
    assert (await shelf.read(source)).counts == {"stored": 3}
    await shop.execute("UPDATE faq SET answer = 'In Oslo.' WHERE nr = 2; DELETE FROM faq WHERE nr = 1")
    await shelf.read(source)
    items = await shelf.items(source)
    assert {key: item.state for key, item in items.items() if key.startswith("row/")} == {
        'row/public.faq/["1"]': "vanished",
        'row/public.faq/["2"]': "stored",
    }
    texts = await passages(shelf)
    assert any("In Oslo." in text for text in texts)
    assert not any("In Rome." in text for text in texts)
    assert not any("nine days" in text for text in texts)


async def passages(shelf: Shelf) -> list[str]:
    async with open_resources(shelf.settings, "test") as resources:
        found = await resources.knowledge.find(shelf.org, [shelf.collection], "Norway days Rome Oslo shop", limit=20)
    return [passage.text for passage in found.passages]
