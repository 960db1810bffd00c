"""Whatever is killed while documents are ingested: each is indexed once, as a quiet run would have done it."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import lancedb
import pytest

from contracts import queues
from domain.knowledge.lance import table_name
from sdk.client import Everturn, Json
from tests.chaos.library import audit, book, documents
from tests.chaos.stand import Stand

_PARTS = 300
"""Passages of the book: five batches, so that a kill after the first meets others in the middle."""


@dataclass
class Scene:
    stand: Stand
    client: Everturn

    async def ingest_and_kill(self, *victims: str) -> None:
        """A book and some pages; the victims die once the first batch of the book is embedded."""
        uploaded = {"book.md": book(_PARTS), **documents(8, seed=1)}
        collection = await self.client.create_collection(f"without {victims}")
        rows = [await self.client.upload(collection["id"], name, data, "") for name, data in uploaded.items()]
        await self.until(rows[0], lambda row: row["passages_done"] > 0)
        for victim in victims:
            self.stand.kill(victim)
        await asyncio.gather(*(self.stand.restart(victim) for victim in victims))
        for row in rows:
            await self.until(row, lambda now: now["state"] in {"ready", "failed"})
        assert self.stand.org_id is not None
        await asyncio.sleep(1)  # a document is ready a moment before its run has cleared what it leaves behind
        findings = await audit(
            self.stand.database_url, self.stand.folder, self.stand.org_id, UUID(collection["id"]), uploaded
        )
        assert findings.violations == {}
        assert findings.documents == len(uploaded)

    async def until(self, row: Json, ready: Callable[[Json], bool]) -> None:
        async with asyncio.timeout(120):
            while not ready(await self.client.document(row["id"])):
                await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    stand = Stand(tmp_path_factory.mktemp("library"), workers=2, queue=queues.INGEST)
    try:
        await stand.start()
        async with Everturn(stand.url, stand.key) as client:
            yield Scene(stand, client)
    finally:
        stand.stop()


async def test_both_workers_are_killed_in_mid_embedding(scene: Scene) -> None:
    await scene.ingest_and_kill("worker-0", "worker-1")


async def test_postgres_is_killed_in_mid_embedding(scene: Scene) -> None:
    await scene.ingest_and_kill("postgres")


_WRITER = """
import asyncio, sys
from pathlib import Path
from uuid import UUID, uuid4
import numpy as np
from contracts.ingest import IngestInput
from domain.knowledge.chunk import Chunk
from domain.knowledge.index import Index

async def main(folder, org, collection, documents):
    index = Index(Path(folder))
    for _ in range(documents):
        document = IngestInput(org_id=UUID(org), collection_id=UUID(collection), document_id=uuid4())
        chunks = [Chunk(id=str(uuid4()), heading="", page=None, char_start=0, char_end=1, text="t") for _ in range(8)]
        await index.replace(document, "T", chunks, np.ones((8, 384), np.float32) / 384**0.5)
        print(document.document_id, flush=True)

asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
"""
"""A process that writes documents of eight passages and says the id of each that is in."""


def writer(folder: Path, org: UUID, collection: UUID, count: int) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", _WRITER, str(folder), str(org), str(collection), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])


async def rows(folder: Path, org: UUID, collection: UUID) -> dict[str, int]:
    """Passages in the index by document."""
    table = await (await lancedb.connect_async(folder / str(org))).open_table(table_name(collection))
    found: dict[str, int] = {}
    for row in (await table.query().select(["document_id"]).to_arrow()).to_pylist():
        found[row["document_id"]] = found.get(row["document_id"], 0) + 1
    return found


async def test_an_index_killed_in_mid_write_holds_whole_documents_and_takes_more(tmp_path: Path) -> None:
    org, collection = uuid4(), uuid4()
    said: set[str] = set()
    for lines in (3, 7, 12):
        with writer(tmp_path, org, collection, 1000) as process:
            assert process.stdout is not None
            said |= {process.stdout.readline().strip() for _ in range(lines)}
            process.send_signal(signal.SIGKILL)
            said |= {line.strip() for line in process.stdout if line.endswith("\n")}
        found = await rows(tmp_path, org, collection)
        assert said <= found.keys(), "what was said to be in is in"
        assert set(found.values()) == {8}, "no document is there by half"


async def test_two_processes_that_write_one_collection_lose_nothing(tmp_path: Path) -> None:
    org, collection = uuid4(), uuid4()
    # The table is there before two write at once: in the product the lock of the collection's row orders them.
    await asyncio.to_thread(writer(tmp_path, org, collection, 1).communicate)
    both = [writer(tmp_path, org, collection, 25) for _ in range(2)]
    outputs = [await asyncio.to_thread(process.communicate) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    found = await rows(tmp_path, org, collection)
    said = {line for output, _ in outputs for line in output.split()}
    assert len(said) == 50
    assert said <= found.keys()
    assert set(found.values()) == {8}
