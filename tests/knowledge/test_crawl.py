"""A source is read once, politely and to its end: each page fetched once, whatever dies, loops or lies."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from activities.crawl import CrawlActivities
from activities.ingest import IngestActivities
from contracts.crawl import CrawlInput, CrawlOutcome
from contracts.ids import crawl_workflow_id
from contracts.queues import INGEST
from db.engine import Database
from db.tables.sources import Source, SourceItem
from domain.knowledge import store as documents
from domain.knowledge.removal import Removal
from domain.knowledge.search import Knowledge
from domain.knowledge.storage import LocalStorage
from domain.sources import store
from domain.sources.crawl import Crawl
from domain.sources.readers import Readers
from runtime.embedded.postgres import EmbeddedPostgres
from runtime.resources import open_resources
from runtime.sandbox import workflow_runner
from runtime.settings import Settings
from tests.house import data_folder
from tests.knowledge.website import Site, website
from worker import WORKFLOWS, ingest_activities, worker


class Shelf:
    """One organisation's collection, and the worker that reads sources into it."""

    def __init__(self, database: Database, client: Client, org: UUID, settings: Settings) -> None:
        self.database, self.client, self.org, self.settings = database, client, org, settings
        self.collection: UUID

    async def open(self) -> None:
        async with self.database.session(self.org) as session:
            self.collection = (await documents.create_collection(session, self.org, "Help")).id

    async def add(self, **config: Any) -> Source:
        async with self.database.session(self.org) as session:
            return await store.create_source(session, self.org, self.collection, config=config, name="a source")

    async def start(self, source: Source) -> WorkflowHandle[Any, CrawlOutcome]:
        return await self.client.start_workflow(
            "CrawlWorkflow",
            CrawlInput(org_id=self.org, source_id=source.id),
            id=crawl_workflow_id(source.id),
            task_queue=INGEST,
            result_type=CrawlOutcome,
        )

    async def read(self, source: Source) -> CrawlOutcome:
        """One whole run, and the ingestion of what it found."""
        async with self.worker():
            outcome = await (await self.start(source)).result()
            await self.settled()
            return outcome

    def worker(self) -> Any:
        return serving(self.client, self.settings)

    async def settled(self) -> None:
        while True:
            async with self.database.session(self.org) as session:
                counts = await documents.count_documents(session, self.collection)
            if not counts.keys() - {"ready", "failed"}:
                return
            await asyncio.sleep(0.05)

    async def items(self, source: Source) -> dict[str, SourceItem]:
        async with self.database.session(self.org) as session:
            return {item.key: item for item in await store.list_items(session, source.id, limit=5000)}

    async def row(self, source: Source) -> Source:
        async with self.database.session(self.org) as session:
            return await store.get_source(session, source.id)

    async def states(self, source: Source, site: Site | None = None) -> dict[str, str]:
        cut = len(site.url) if site else 0
        return {key[cut:]: item.state for key, item in (await self.items(source)).items()}


class serving:  # noqa: N801  read as `async with serving(...)`
    def __init__(self, client: Client, settings: Settings) -> None:
        self._client, self._settings = client, settings

    async def __aenter__(self) -> None:
        self._resources = open_resources(self._settings, "test")
        resources = await self._resources.__aenter__()
        self._worker = worker(self._client, resources, INGEST, ingest_activities(resources))
        await self._worker.__aenter__()

    async def __aexit__(self, *error: object) -> None:
        await self._worker.__aexit__(*error)  # type: ignore[arg-type]
        await self._resources.__aexit__(*error)  # type: ignore[arg-type]


@pytest.fixture
async def shelf(
    database: Database, postgres: EmbeddedPostgres, temporal_client: Client, org: UUID, tmp_path: Path
) -> Shelf:
    settings = Settings(
        database_url=postgres.url,
        data_dir=data_folder(tmp_path / "data"),
        allow_private_sources=True,
        source_databases={f"{org}/shop": postgres.url.rpartition("/")[0] + "/shop"},  # type: ignore[dict-item]
    )
    shelf = Shelf(database, temporal_client, org, settings)
    await shelf.open()
    return shelf


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    async with website() as site:
        yield site


async def test_a_site_is_read_once_with_its_loops_redirects_and_rules(shelf: Shelf, site: Site) -> None:
    site.html("/", "Start", "/a", "/b?utm_source=x", "/old", "/private/x", "https://elsewhere.example/", "mailto:a@b.c")
    site.html("/a", "Page A", "/", "/b", "/a#part", "/same", "/gone")
    site.html("/b", "Page B", "/a", "/named")
    site.html("/same", "Page A", "/never")
    site.pages["/same"] = site.pages["/a"]
    site.html("/named", "Named", head=f'<link rel="canonical" href="{site.url}/a">')
    site.html("/from-map", "Only in the sitemap")
    site.html("/private/x", "Secret")
    site.redirect("/old", "/b")
    site.redirect("/loop", "/loop2")
    site.redirect("/loop2", "/loop")
    site.file("/notes.md", b"# Notes\n\nPlain words.", "text/markdown")
    site.html("/a2", "x", "/loop", "/notes.md")
    site.file("/robots.txt", f"User-agent: EverturnBot\nDisallow: /private\nSitemap: {site.url}/map.xml".encode())
    site.file(
        "/map.xml",
        f"<urlset><url><loc>{site.url}/from-map</loc></url><url><loc>{site.url}/a2</loc></url></urlset>".encode(),
    )
    source = await shelf.add(kind="website", url=f"{site.url}/", delay_seconds=0)
    outcome = await shelf.read(source)
    states = await shelf.states(source, site)
    assert {path for path, state in states.items() if state == "stored"} == {
        "/",
        "/a",
        "/b",
        "/from-map",
        "/a2",
        "/notes.md",
    }
    assert states["/old"] == states["/private/x"] == "skipped"
    assert states["/same"] == states["/named"] == "duplicate"
    assert states["/gone"] == "failed"
    assert {"/never", "/b?utm_source=x"} & states.keys() == set()
    assert site.count("/private/x") == 0
    assert {path: n for path, n in site.asked.items() if n > 1} == {}
    assert site.most_at_once == 1
    assert outcome.counts["stored"] == 6
    async with shelf.database.session(shelf.org) as session:
        assert await documents.count_documents(session, shelf.collection) == {"ready": 6}


async def test_a_worker_that_dies_goes_on_and_fetches_nothing_twice(shelf: Shelf, site: Site) -> None:
    paths = [f"/p{n}" for n in range(40)]
    site.html("/", "Start", *paths)
    for path in paths:
        site.html(path, f"This is page {path}.", head='<meta name="robots" content="noindex">')  # only visited
        site.slow[path] = 0.02
    source = await shelf.add(kind="website", url=f"{site.url}/", delay_seconds=0, sitemap=False)
    async with shelf.worker():
        handle = await shelf.start(source)
        while site.asked.total() < 12:
            await asyncio.sleep(0.01)
    assert (await shelf.row(source)).state == "running"
    async with shelf.worker():
        await handle.result()
    states = list((await shelf.states(source)).values())
    assert (states.count("stored"), states.count("skipped")) == (1, 40)
    again = [path for path, n in site.asked.items() if n > 1]
    assert len(again) <= 1, "only the one in flight at the crash"


async def test_an_unchanged_page_is_free_a_changed_one_replaced_and_a_vanished_one_reported(
    shelf: Shelf, site: Site
) -> None:
    site.html("/", "Start", "/tagged", "/changing", "/leaving")
    site.html("/tagged", "Tagged", "/below", ETag='"1"')
    site.html("/below", "Below")
    site.html("/changing", "Before")
    site.html("/leaving", "Leaving")
    source = await shelf.add(kind="website", url=f"{site.url}/", delay_seconds=0)
    await shelf.read(source)
    before = await shelf.items(source)
    site.html("/", "Start!", "/tagged", "/changing")
    site.html("/changing", "After")
    async with shelf.database.session(shelf.org) as session:
        await store.queue_source(session, source.id)
    await shelf.read(source)
    states, after = await shelf.states(source, site), await shelf.items(source)
    assert states == {
        "/": "stored", "/tagged": "unchanged", "/below": "unchanged", "/changing": "stored", "/leaving": "vanished"
    }  # fmt: skip
    key = f"{site.url}/changing"
    assert after[key].document_id == before[key].document_id
    async with shelf.database.session(shelf.org) as session:
        changed = await documents.get_document(session, after[key].document_id or UUID(int=0))
        tagged = await documents.get_document(session, after[f"{site.url}/tagged"].document_id or UUID(int=0))
    assert (changed.state, changed.revision, tagged.revision) == ("ready", 2, 1)


async def test_traps_end(shelf: Shelf, site: Site) -> None:
    def calendar(path: str) -> tuple[int, dict[str, str], bytes] | None:
        number = int("".join(c for c in path if c.isdigit()) or 0)
        links = "".join(f'<a href="/calendar?month={number + n}">n</a>' for n in (1, 2)) + '<a href="x/">d</a>'
        if path.startswith(("/calendar", "/deep")):
            return 200, {"Content-Type": "text/html"}, f'<meta name="robots" content="noindex">{path} {links}'.encode()
        return None

    site.endless = calendar
    site.html("/", "Start", "/calendar?month=1", "/deep/")
    source = await shelf.add(kind="website", url=f"{site.url}/", delay_seconds=0, max_depth=50, max_pages=200)
    async with shelf.worker():
        await (await shelf.start(source)).result()
    assert 20 < site.asked.total() < 120
    assert (await shelf.row(source)).state == "ready"


async def test_a_pause_that_the_site_asks_for_is_a_timer_not_a_held_worker(shelf: Shelf, site: Site) -> None:
    site.html("/", "Start", "/a")
    site.html("/a", "A")
    site.file("/robots.txt", b"User-agent: *\nCrawl-delay: 3\n")
    source = await shelf.add(kind="website", url=f"{site.url}/", delay_seconds=0, sitemap=False)
    async with shelf.worker():
        handle = await shelf.start(source)
        await handle.result()
    history = await handle.fetch_history()
    timers = [event for event in history.events if event.HasField("timer_started_event_attributes")]
    assert [t.timer_started_event_attributes.start_to_fire_timeout.seconds for t in timers] == [3, 3]


async def test_a_site_that_is_away_ends_the_run_with_a_reason(shelf: Shelf, site: Site) -> None:
    site.file("/", b"broken", status=503)
    source = await shelf.add(kind="website", url=f"{site.url}/", delay_seconds=0)
    await shelf.read(source)
    row = await shelf.row(source)
    assert (row.state, row.error_code) == ("failed", "source_unreachable")


@pytest.mark.usefixtures("knowledge")
async def test_an_address_is_one_document_that_follows_its_changes(shelf: Shelf, site: Site) -> None:
    site.redirect("/short", "/page")
    site.html("/page", "First", ETag='"1"')
    source = await shelf.add(kind="url", url=f"{site.url}/short")
    assert (await shelf.read(source)).counts == {"stored": 1}
    assert (await shelf.read(source)).counts == {"unchanged": 1}
    site.html("/page", "Second", ETag='"2"')
    assert (await shelf.read(source)).counts == {"stored": 1}
    site.pages.clear()
    assert (await shelf.read(source)).counts == {"vanished": 1}


async def test_private_addresses_are_refused_unless_allowed(
    database: Database, temporal_client: Client, org: UUID, site: Site, tmp_path: Path, knowledge: Knowledge
) -> None:
    storage = LocalStorage(tmp_path)
    crawl = CrawlActivities(Crawl(database, storage, Removal(knowledge.index, storage), Readers(storage)))
    ingest = IngestActivities(database, storage, knowledge)
    shelf = Shelf(database, temporal_client, org, Settings())
    await shelf.open()
    source = await shelf.add(kind="url", url=f"{site.url}/")
    async with Worker(
        temporal_client,
        task_queue=INGEST,
        workflows=WORKFLOWS[INGEST],
        activities=[crawl.begin_crawl, crawl.crawl_batch, crawl.finish_crawl, ingest.parse_document],
        workflow_runner=workflow_runner(),
    ):
        outcome = await (await shelf.start(source)).result()
    assert outcome.failed == "source_refused"
    assert site.asked.total() == 0
