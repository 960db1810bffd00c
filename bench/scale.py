"""`python -m bench.scale`: search and indexing at 10,000, 100,000 and more passages. Not for how good it is.

Vectors lie between two of the demo's own passages and texts are made of the words of its documents in their own
frequencies, so that 1,000,000 passages need no hour of embedding; questions are embedded anew.
"""

import argparse
import asyncio
import json
import random
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np
import psutil
from numpy.typing import NDArray

from bench.measure import percentile
from contracts.ingest import IngestInput
from domain.knowledge.chunk import Chunk, chunk
from domain.knowledge.e5 import E5Embedder
from domain.knowledge.index import embedded_text
from domain.knowledge.lance import DIMENSIONS
from domain.knowledge.parse import parse
from domain.knowledge.search import Knowledge

BUILD = Path(__file__).parents[1] / "build"
DOCUMENTS = Path(__file__).parents[1] / "runtime" / "demo" / "documents"

_DOCUMENT_PASSAGES = 1_000
_WORDS = 120
_QUESTIONS = 200
_TIDY_EVERY = 50
"""Documents between two tidyings, as ingestion does it while others are on their way."""


@dataclass(frozen=True)
class Words:
    """A vocabulary with its frequencies, from real text."""

    words: list[str]
    weights: list[int]

    @classmethod
    def read(cls, texts: Iterator[str]) -> "Words":
        counts: dict[str, int] = {}
        for text in texts:
            for word in re.findall(r"\w+", text):
                counts[word] = counts.get(word, 0) + 1
        return cls(list(counts), list(counts.values()))

    def text(self, rng: random.Random) -> str:
        return " ".join(rng.choices(self.words, self.weights, k=_WORDS))


class Filling:
    """Writes passages document by document, as ingestion does, up to a number."""

    def __init__(self, knowledge: Knowledge, words: Words, real: NDArray[np.float32]) -> None:
        """real: vectors of passages, a row each."""
        self.org_id, self.collection_id = uuid4(), uuid4()
        self._knowledge = knowledge
        self._words = words
        self._rng = random.Random(7)
        self._numbers = np.random.default_rng(7)
        self._real = real
        self._passages = 0
        self._documents = 0

    async def up_to(self, passages: int) -> dict[str, float]:
        """Seconds of writing, and of tidying (word index, vector index, compaction)."""
        writing, tidying = 0.0, 0.0
        while self._passages < passages:
            began = time.monotonic()
            await self._document(min(_DOCUMENT_PASSAGES, passages - self._passages))
            writing += time.monotonic() - began
            if self._documents % _TIDY_EVERY == 0 or self._passages >= passages:
                began = time.monotonic()
                await self._knowledge.index.tidy(self.org_id, self.collection_id)
                tidying += time.monotonic() - began
        return {"write_s": writing, "tidy_s": tidying}

    async def _document(self, count: int) -> None:
        document = IngestInput(org_id=self.org_id, collection_id=self.collection_id, document_id=uuid4())
        texts = [self._words.text(self._rng) for _ in range(count)]
        chunks = [
            Chunk(str(UUID(int=self._passages + n + 1)), "", None, n * 10_000, n * 10_000 + len(text), text)
            for n, text in enumerate(texts)
        ]
        await self._knowledge.index.replace(document, f"Document {self._documents}", chunks, self._between(count))
        self._passages += count
        self._documents += 1

    def _between(self, count: int) -> NDArray[np.float32]:
        one, other = self._real[self._numbers.integers(0, len(self._real), (2, count))]
        part = self._numbers.random((count, 1), np.float32) / 2
        rows = one * (1 - part) + other * part + 0.005 * self._numbers.standard_normal((count, DIMENSIONS), np.float32)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


async def _real_vectors(embedder: E5Embedder) -> NDArray[np.float32]:
    """Of the demo's passages: some 400, half a minute."""
    chunks = []
    for path in sorted(DOCUMENTS.rglob("*.md")):
        extract = parse(path.read_bytes(), path.name)
        chunks += [embedded_text(extract.title, each) for each in chunk(extract, uuid4())]
    return await embedder.passages(chunks)


async def _latency(knowledge: Knowledge, filling: Filling, questions: list[str], clients: int) -> dict[str, Any]:
    """Milliseconds of a whole search, its question's embedding included; every question is new."""
    waiting = iter(questions)
    times: list[float] = []

    async def client() -> None:
        for question in waiting:
            began = time.monotonic()
            await knowledge.search(filling.org_id, [filling.collection_id], question)
            times.append((time.monotonic() - began) * 1000)

    began = time.monotonic()
    await asyncio.gather(*(client() for _ in range(clients)))
    took = time.monotonic() - began
    return {"p50_ms": percentile(times, 0.5), "p99_ms": percentile(times, 0.99), "a_second": len(times) / took}


def _questions(words: Words, salt: str) -> list[str]:
    rng = random.Random(salt)
    asked = ("How do I", "What happens when", "Can I", "Why does", "Where is")
    return [f"{rng.choice(asked)} {' '.join(rng.choices(words.words, words.weights, k=7))}?" for _ in range(_QUESTIONS)]


def _size_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


async def _run(sizes: list[int]) -> list[dict[str, Any]]:
    folder = BUILD / "scale"
    shutil.rmtree(folder, ignore_errors=True)
    embedder = E5Embedder(BUILD / "models")
    await embedder.warm()
    words = Words.read(path.read_text() for path in sorted(DOCUMENTS.rglob("*.md")))
    knowledge = Knowledge(folder, embedder)
    filling = Filling(knowledge, words, await _real_vectors(embedder))
    table = []
    for size in sizes:
        row: dict[str, Any] = {"passages": size} | await filling.up_to(size)
        await knowledge.search(filling.org_id, [filling.collection_id], "warm")
        for clients in (1, 16):
            row[f"clients_{clients}"] = await _latency(
                knowledge, filling, _questions(words, f"{size}/{clients}"), clients
            )
        # New questions, to be embedded anew, about passages that were read for the same ones before.
        again = [f"Please: {question}" for question in _questions(words, f"{size}/1")]
        row["clients_1_again"] = await _latency(knowledge, filling, again, 1)
        row |= {"disk_mb": _size_mb(folder), "resident_mb": psutil.Process().memory_info().rss / 1e6}
        table.append(row)
        print(json.dumps(row), flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--passages", type=int, nargs="+", default=[10_000, 100_000])
    table = asyncio.run(_run(parser.parse_args().passages))
    (BUILD / "scale.json").write_text(json.dumps(table, indent=2))


if __name__ == "__main__":
    main()
