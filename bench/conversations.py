"""Whether follow-up questions find their passages: as they were said, rewritten from the conversation, and joined.

`python -m bench.conversations DATA` where DATA holds `mtrag_un/` and `mtrag_human_eval/`. Not for speed.
"""

import asyncio
import gzip
import hashlib
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from uuid import UUID, uuid4

import numpy as np

from bench.vector_cache import CachedEmbedder
from contracts.ingest import IngestInput
from domain.knowledge.chunk import Chunk
from domain.knowledge.e5 import E5Embedder
from domain.knowledge.join import joined
from domain.knowledge.rewrite import HISTORY_CHARS, HISTORY_MESSAGES, Line, RuleRewriter
from domain.knowledge.search import Found, Knowledge

_BUILD = Path(__file__).parents[1] / "build"
_SETS = {"mtrag_un": "input", "mtrag_human_eval": "conversation"}
"""The field that holds the conversation. The second has questions of another set, written in the same way."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The last question of a conversation. relevant: texts of its passages. chosen_on: the rules saw it."""

    question: str
    history: list[Line]
    relevant: frozenset[str]
    chosen_on: bool


def read(data: Path) -> tuple[list[str], dict[str, list[Asked]]]:
    """Every passage of the sets as one corpus, and the follow-up questions of each that have passages."""
    passages: dict[str, None] = {}
    asked: dict[str, dict[str, Asked]] = {}
    for name, field in _SETS.items():
        with gzip.open(data / name / "dev.jsonl.gz", "rt") as file:
            rows: list[dict[str, Any]] = [json.loads(line) for line in file]
        for row in rows:
            texts = frozenset(context["text"] for context in row["contexts"])
            passages |= dict.fromkeys(sorted(texts))
            if texts and len(row[field]) > 1:
                asked.setdefault(name, {})[row["task_id"]] = _asked(row["task_id"], row[field], texts)
    return list(passages), {name: list(questions.values()) for name, questions in asked.items()}


def _asked(task_id: str, said: list[dict[str, str]], relevant: frozenset[str]) -> Asked:
    lines = [Line(_role(line["speaker"]), line["text"][:HISTORY_CHARS]) for line in said[:-1]]
    half = int(hashlib.sha256(task_id.partition("<")[0].encode()).hexdigest(), 16) % 2
    return Asked(said[-1]["text"], lines[-HISTORY_MESSAGES:], relevant, chosen_on=half == 0)


def _role(speaker: str) -> Literal["user", "assistant"]:
    return "user" if speaker == "user" else "assistant"


def judge(found: Sequence[str], relevant: frozenset[str]) -> tuple[float, float, float]:
    """recall@5 and @20 (of as many as fit), nDCG@10."""
    hits = [text in relevant for text in found]
    best = sum(1 / np.log2(place + 2) for place in range(min(10, len(relevant))))
    gain = sum(1 / np.log2(place + 2) for place, hit in enumerate(hits[:10]) if hit)
    return sum(hits[:5]) / min(5, len(relevant)), sum(hits[:20]) / min(20, len(relevant)), gain / best


async def measure(data: Path) -> None:
    passages, sets = read(data)
    embedder = E5Embedder(_BUILD / "models")
    kept = CachedEmbedder(embedder, _BUILD / "conversations" / "vectors.sqlite")
    with tempfile.TemporaryDirectory() as folder:
        knowledge = Knowledge(Path(folder), kept)
        document = IngestInput(org_id=uuid4(), collection_id=uuid4(), document_id=uuid4())
        chunks = [
            Chunk(str(UUID(int=n + 1)), "", None, n * 1_000_000, n * 1_000_000 + len(text), text)
            for n, text in enumerate(passages)
        ]
        await knowledge.index.replace(document, "", chunks, await kept.passages(passages))
        await knowledge.index.tidy(document.org_id, document.collection_id)

        async def find(query: str) -> Found:
            return await knowledge.find(document.org_id, [document.collection_id], query, limit=20)

        def judged(found: Found, one: Asked) -> tuple[float, float, float]:
            return judge([hit.text for hit in found.passages], one.relevant)

        print(f"{len(passages)} passages")
        print("set               half    questions rewritten  query      recall@5 recall@20 nDCG@10")
        for name, questions in sets.items():
            for chosen_on in (True, False):
                part = [one for one in questions if one.chosen_on == chosen_on]
                written = [await RuleRewriter().rewrite(one.question, one.history) for one in part]
                said = [await find(one.question) for one in part]
                alone = [old if new is None else await find(new.query) for new, old in zip(written, said, strict=True)]
                both = [
                    old if new is None else joined(old, found, limit=20)
                    for new, old, found in zip(written, said, alone, strict=True)
                ]
                plain, rules, together = (
                    [judged(found, one) for found, one in zip(stage, part, strict=True)]
                    for stage in (said, alone, both)
                )
                changed = [n for n, new in enumerate(written) if new is not None]
                for label, scores in (
                    ("as said", plain),
                    ("rewritten", rules),
                    ("joined", together),
                    ("as said*", [plain[n] for n in changed]),
                    ("rewritten*", [rules[n] for n in changed]),
                    ("joined*", [together[n] for n in changed]),
                ):
                    figures = "  ".join(f"{figure:7.3f}" for figure in np.mean(scores, axis=0))
                    half = "chosen" if chosen_on else "judged"
                    print(f"{name:17} {half} {len(scores):9} {len(changed):9}  {label:10} {figures}")
    print("* only the questions that were rewritten")
    embedder.close()


if __name__ == "__main__":
    asyncio.run(measure(Path(sys.argv[1])))
