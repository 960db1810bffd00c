"""How often retrieval finds the right passage: by meaning, by words, and fused as the product does it.

`python -m bench.retrieval DATA` where DATA holds `xquad/` (see its README for the format). Not for speed.
"""

import asyncio
import gzip
import json
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import numpy as np

from contracts.ingest import IngestInput
from domain.knowledge.chunk import Chunk
from domain.knowledge.e5 import E5Embedder
from domain.knowledge.index import embedded_text
from domain.knowledge.search import Knowledge

_CHOSEN_ON = 240
"""The first questions of each language chose the fusion rule, so they are no evidence for it."""

_LANGUAGES = ("en", "de", "es", "ru", "zh", "ar")
_MODELS = Path(__file__).parents[1] / "build" / "models"


def rows(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt") as file:
        return [json.loads(line) for line in file]


class Corpus:
    """XQuAD's English paragraphs as one collection; paragraph ids by passage id."""

    def __init__(self, knowledge: Knowledge) -> None:
        self.knowledge = knowledge
        self.org_id, self.collection_id = uuid4(), uuid4()
        self.paragraphs: dict[str, str] = {}

    async def fill(self, paragraphs: list[dict[str, Any]]) -> None:
        document = IngestInput(org_id=self.org_id, collection_id=self.collection_id, document_id=uuid4())
        chunks = [
            Chunk(str(UUID(int=n + 1)), "", None, n * 10_000, n * 10_000 + len(p["text"]), p["text"])
            for n, p in enumerate(paragraphs)
        ]
        self.paragraphs = {chunk.id: p["pid"] for chunk, p in zip(chunks, paragraphs, strict=True)}
        vectors = await self.knowledge.embedder.passages([embedded_text("", chunk) for chunk in chunks])
        await self.knowledge.index.replace(document, "", chunks, vectors)
        await self.knowledge.index.tidy(self.org_id, self.collection_id)

    async def ranks(self, question: str, paragraph: str) -> dict[str, int | None]:
        """Place of the paragraph (0 is first) by each half and fused; None when it is not among the first ten."""
        found = await self.knowledge.search(self.org_id, [self.collection_id], question, limit=30)
        orders = {
            "meaning": sorted(found, key=lambda p: -p.explanation["dense"]),
            "words": sorted((p for p in found if p.explanation["keyword"]), key=lambda p: -p.explanation["keyword"]),
            "fused": found,
        }
        places = {name: [self.paragraphs[p.id] for p in order[:10]] for name, order in orders.items()}
        return {name: ids.index(paragraph) if paragraph in ids else None for name, ids in places.items()}


async def measure(data: Path) -> None:
    questions = rows(data / "xquad" / "dev_queries.jsonl.gz")
    embedder = E5Embedder(_MODELS)
    with tempfile.TemporaryDirectory() as folder:
        corpus = Corpus(Knowledge(Path(folder), embedder))
        await corpus.fill([p for p in rows(data / "xquad" / "corpus.jsonl.gz") if p["lang"] == "en"])
        print("language  by       first  in 5  nDCG@10")
        for language in _LANGUAGES:
            ranks: dict[str, list[int | None]] = defaultdict(list)
            for asked in [q for q in questions if q["lang"] == language][_CHOSEN_ON:]:
                gold = asked["pid"].replace(f"{language}-", "en-", 1)
                for name, rank in (await corpus.ranks(asked["question"], gold)).items():
                    ranks[name].append(rank)
            for name, found in ranks.items():
                first = np.mean([rank == 0 for rank in found])
                five = np.mean([rank is not None and rank < 5 for rank in found])
                gain = np.mean([0 if rank is None else 1 / np.log2(rank + 2) for rank in found])
                print(f"{language:9} {name:8} {first:.3f}  {five:.3f} {gain:.3f}")
    embedder.close()


if __name__ == "__main__":
    asyncio.run(measure(Path(sys.argv[1])))
