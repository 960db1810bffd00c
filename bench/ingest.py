"""What it costs to take documents in, step by step: `python -m bench.ingest DATA`. Not for how well they are read.

DATA holds `docs_docling` and its like (files of all formats), `sendgrid_docs` (Markdown pages) and `receipts_sroie`
(scans). Steps run alone and one after the other; figures are processor time, so other programs hardly change them.
"""

import argparse
import asyncio
import gzip
import json
import resource
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from uuid import UUID, uuid4

from bench.document_sets import samples
from bench.environment import BUILD
from contracts.ingest import IngestInput
from domain.errors import DocumentUnreadable
from domain.knowledge.chunk import chunk
from domain.knowledge.e5 import E5Embedder
from domain.knowledge.extract import with_recognised
from domain.knowledge.index import Index, embedded_text
from domain.knowledge.ocr import Ocr
from domain.knowledge.reading import FileReader, Reading

_NOBODY = UUID(int=0)


@dataclass(slots=True)
class Cost:
    """Processor seconds by step."""

    documents: int = 0
    pages: int = 0
    passages: int = 0
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))


class Ingester:
    def __init__(self, folder: Path) -> None:
        self._reader = FileReader()
        self._ocr = Ocr.found_here()
        self._embedder = E5Embedder(BUILD / "models", threads=1)
        self._index = Index(folder)

    async def start_seconds(self) -> float:
        """Of a reading process that has next to nothing to read; loads the embedder, too."""
        await self._embedder.passages(["warm"])
        before = _used()
        for _ in range(5):
            await self._reader.read(b"one", "a.txt", _NOBODY)
        return (_used() - before) / 5

    async def take(self, data: bytes, name: str, collection: UUID, cost: Cost) -> None:
        before = _used()
        try:
            reading = await self._reader.read(data, name, _NOBODY)
        except DocumentUnreadable:
            return
        before = _add(cost, "read and cut", before)
        reading = await self._recognised(data, reading)
        before = _add(cost, "recognise", before)
        texts = [embedded_text(reading.title, each) for each in reading.chunks]
        vectors = await self._embedder.passages(texts)
        before = _add(cost, "embed", before)
        if texts:
            document = IngestInput(org_id=_NOBODY, collection_id=collection, document_id=uuid4())
            await self._index.replace(document, reading.title, reading.chunks, vectors, media_type=reading.media_type)
        _add(cost, "index", before)
        cost.documents, cost.pages = cost.documents + 1, cost.pages + max(1, reading.pages)
        cost.passages += len(texts)

    async def _recognised(self, data: bytes, reading: Reading) -> Reading:
        if not reading.scans:
            return reading
        pages = await self._ocr.read(data, reading.media_type, reading.scans)
        extract = with_recognised(reading.extract, {page.page: page.blocks() for page in pages})
        return Reading(extract, chunk(extract, _NOBODY))


def _used() -> float:
    """Processor seconds of this process and of those it has started and seen end."""
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _add(cost: Cost, step: str, before: float) -> float:
    now = _used()
    cost.seconds[step] += now - before
    return now


def groups(data: Path, most: int) -> dict[str, list[tuple[str, bytes]]]:
    """Files by what they stand for; at most so many of each."""
    found: dict[str, list[tuple[str, bytes]]] = defaultdict(list)
    for sample in samples(data):
        kind = "receipts (scans)" if sample.group == "receipts_sroie" else f".{sample.path.suffix.lstrip('.')}"
        if sample.group in {"docs_docling", "docs_pypdf", "receipts_sroie"} and len(found[kind]) < most:
            found[kind].append((sample.path.name, sample.path.read_bytes()))
    articles = data / "sendgrid_docs" / "corpus.jsonl.gz"
    if articles.exists():
        with gzip.open(articles, "rt") as file:
            rows = [json.loads(line) for line in islice(file, most)]
        found["articles (.md)"] = [(f"{row['title'][:80]}.md", row["text"].encode()) for row in rows]
    return found


def line(name: str, cost: Cost, start: float) -> str:
    steps = dict(cost.seconds)
    begun = min(start * cost.documents, steps["read and cut"])
    steps["read and cut"] -= begun
    whole = sum(steps.values()) + begun
    shares = " ".join(f"{100 * steps[step] / whole:8.0f}%" for step in ("read and cut", "recognise", "embed", "index"))
    counts = f"{cost.documents:5} {cost.pages:6} {cost.passages:8} {60 * cost.documents / whole:9.0f}"
    return f"{name:18} {counts} {60 * cost.pages / whole:9.0f} {100 * begun / whole:6.0f}% {shares}"


async def main(data: Path, most: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ingester = Ingester(Path(folder))
        start = await ingester.start_seconds()
        print(f"a reading process starts in {start:.2f} s of processor time\n")
        print(f"{'files':18}  docs  pages passages  docs/min pages/min   start read+cut recognise    embed    index")
        for name, files in groups(data, most).items():
            cost, collection = Cost(), uuid4()
            for filename, content in files:
                await ingester.take(content, filename, collection, cost)
            if cost.documents:
                print(line(name, cost, start), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--most", type=int, default=20, help="files of each kind")
    given = parser.parse_args()
    asyncio.run(main(given.data, given.most))
