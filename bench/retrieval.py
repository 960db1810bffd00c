"""How well each stage of retrieval finds what people judged relevant, and what it costs.

`python -m bench.retrieval [DATA] [--set NAME] [--aws N] [--distractors N] [--all]`. DATA holds the sets of
`retrieval_sets.py`. Vectors and indexes are kept under build/retrieval. Printed for the questions no rule was
chosen on; --all takes both halves.
"""

import argparse
import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.answerable import judge_answerability
from bench.retrieval_corpus import Corpus
from bench.retrieval_sets import JudgedSet, Question, judged_sets
from bench.vector_cache import CachedEmbedder
from domain.knowledge.e5 import E5Embedder
from domain.knowledge.search import Knowledge
from domain.knowledge.views import Views

BUILD = Path(__file__).parents[1] / "build"
_DEEP = 50
"""Passages of each stage that are looked through for documents: enough for twenty documents of several passages."""

Measures = tuple[float, float, float, float]


def measures(order: Sequence[str], relevant: frozenset[str]) -> Measures:
    """nDCG@10, recall@20, hit@5 and reciprocal rank of an order of documents, repeats counted once."""
    gains = [text in relevant for text in dict.fromkeys(order)]
    gained = sum(gain / np.log2(rank + 2) for rank, gain in enumerate(gains[:10]))
    most = sum(1 / np.log2(rank + 2) for rank in range(min(10, len(relevant))))
    first = next((1 / (rank + 1) for rank, gain in enumerate(gains) if gain), 0.0)
    return float(gained / most), sum(gains[:20]) / len(relevant), float(any(gains[:5])), first


class Stages:
    """The order of documents that each stage alone would give, and milliseconds of each."""

    def __init__(self, knowledge: Knowledge, views: Views, corpus: Corpus) -> None:
        self._knowledge, self._views, self._corpus = knowledge, views, corpus
        self.milliseconds: dict[str, list[float]] = defaultdict(list)

    async def orders(self, question: Question) -> dict[str, list[str]]:
        corpus, text = self._corpus, question.text
        view = await self._views.of(corpus.org_id, corpus.collection_id)
        if view is None:
            raise RuntimeError("the corpus is empty")
        vector = await self._knowledge.embedder.query(text)
        started = time.perf_counter()
        words = await view.with_words(text[:1000], _DEEP)
        between = time.perf_counter()
        meant = await view.nearest(vector, _DEEP)
        self.milliseconds["bm25"].append((between - started) * 1000)
        self.milliseconds["dense"].append((time.perf_counter() - between) * 1000)
        known = await view.passages([*words, *meant])
        best = {name: sorted(one, key=lambda id_: -one[id_]) for name, one in (("bm25", words), ("dense", meant))}
        made = {name: [corpus.text_of[known[id_].document_id] for id_ in ids] for name, ids in best.items()}
        for name, reranking in (("fused", "off"), ("fused + rerank", "local")):
            found = await self._knowledge.find(
                corpus.org_id,
                [corpus.collection_id],
                text,
                limit=_DEEP,
                vector=vector,
                rerank=reranking,  # type: ignore[arg-type]
            )
            made[name] = [corpus.text_of[passage.document_id] for passage in found.passages]
            self.milliseconds[name].append(sum(found.milliseconds.values()))
        return made


async def measure(judged: JudgedSet, stages: Stages, *, everything: bool) -> dict[str, Measures]:
    scores: dict[str, list[Measures]] = defaultdict(list)
    for question in judged.questions:
        if question.relevant and (everything or not question.chosen_on):
            for name, order in (await stages.orders(question)).items():
                scores[name].append(measures(order, question.relevant))
    return {name: tuple(np.mean(rows, axis=0)) for name, rows in scores.items()}  # type: ignore[misc]


async def run(arguments: argparse.Namespace) -> None:
    embedder = E5Embedder(BUILD / "models")
    cached = CachedEmbedder(embedder, BUILD / "retrieval" / "vectors.sqlite3")
    folder = BUILD / "retrieval" / "lance"
    folder.mkdir(parents=True, exist_ok=True)
    knowledge, views = Knowledge(folder, cached), Views(folder)
    print(f"{'set':14} {'stage':14} nDCG@10 recall@20 hit@5   MRR  ms p50")
    for judged in judged_sets(arguments.data, aws_documents=arguments.aws, distractors=arguments.distractors):
        if arguments.set and not judged.name.startswith(arguments.set):
            continue
        corpus = Corpus(knowledge, folder, judged)
        await corpus.fill()
        stages = Stages(knowledge, views, corpus)
        table = await measure(judged, stages, everything=arguments.all)
        for name, (gain, recall, hit, first) in table.items():
            cost = float(np.median(stages.milliseconds[name]))
            print(f"{judged.name:14} {name:14} {gain:7.3f} {recall:9.3f} {hit:5.3f} {first:5.3f} {cost:7.2f}")
        if any(question.answerable is not None for question in judged.questions):
            print(await judge_answerability(judged, knowledge, corpus, everything=arguments.all))
    embedder.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="?", default=BUILD / "data")
    parser.add_argument("--set", default="", help="only sets whose name begins so")
    parser.add_argument("--aws", type=int, default=100, help="AWS documents beside the gold ones; 0: all 2,757")
    parser.add_argument("--distractors", type=int, default=0, help="documents of other AWS guides")
    parser.add_argument("--all", action="store_true", help="also the questions that rules were chosen on")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
