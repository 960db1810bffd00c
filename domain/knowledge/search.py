"""Find the passages that answer a question, by meaning and by words. Not for writing them: see `index.py`."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import UUID

from contracts.turn import PassageRef
from domain.errors import DomainError, EmbeddingMismatch
from domain.knowledge.answerability import answerability
from domain.knowledge.chunk import MOST
from domain.knowledge.embedder import Embedder, Vector
from domain.knowledge.evidence import Evidence, evidence
from domain.knowledge.filters import Filters, Reranking
from domain.knowledge.fuse import Candidate, Key, fuse, judged
from domain.knowledge.index import Index
from domain.knowledge.neighbours import widened
from domain.knowledge.passage import Passage
from domain.knowledge.relevance import background, relevance
from domain.knowledge.rerank import BY_WORDS, RERANKED, Reranker, by_words
from domain.knowledge.view import Row, View
from domain.knowledge.views import HELD_ROWS, Views
from domain.knowledge.words import coverage

_FOUND = 30
"""Passages taken from each half of the search; with 10 fewer, fusion loses answers that one half ranks low."""

_QUERY_CHARS = 1000
"""Words beyond are not looked up: each costs a posting list, and a question is shorter."""

_SAME = 1 / 3
"""Passages of one document that share more of the shorter one say the same; neighbours share about a seventh."""


_Seen = tuple[Passage, Evidence]
"""A passage and what its words say about the question."""


@dataclass(frozen=True, slots=True)
class Found:
    """answerable: 0..1, how likely these passages answer the question; see `answerability.py`.

    milliseconds: by stage. reranker: whose order it is, None for the fused one. ranked: the best in their
    order before any was left out, to be joined with another search.
    """

    passages: list[Passage] = field(default_factory=list)
    answerable: float = 0.0
    reranker: str | None = None
    milliseconds: dict[str, float] = field(default_factory=dict)
    ranked: list[Passage] = field(default_factory=list)


class Knowledge:
    """One process's view of all indexed passages. Cheap to make; `warm` its embedder before the first question.

    index: where passages are written, for those who ingest and delete.
    """

    def __init__(
        self,
        database_folder: Path,
        embedder: Embedder,
        *,
        most_held: int = HELD_ROWS,
        provider_reranker: Reranker | None = None,
    ) -> None:
        """most_held: collections with more passages are searched on disk."""
        self.embedder = embedder
        self.index = Index(database_folder)
        self._views = Views(database_folder, most_held=most_held)
        self._provider = provider_reranker

    async def search(
        self,
        org_id: UUID,
        collection_ids: Sequence[UUID],
        query: str,
        *,
        limit: int = 6,
        min_score: float = 0.0,
        vector: Vector | None = None,
        filters: Filters | None = None,
        rerank: Reranking = "local",
    ) -> list[Passage]:
        """The passages of `find`."""
        found = await self.find(
            org_id,
            collection_ids,
            query,
            limit=limit,
            min_score=min_score,
            vector=vector,
            filters=filters,
            rerank=rerank,
        )
        return found.passages

    async def find(
        self,
        org_id: UUID,
        collection_ids: Sequence[UUID],
        query: str,
        *,
        limit: int = 6,
        min_score: float = 0.0,
        vector: Vector | None = None,
        filters: Filters | None = None,
        rerank: Reranking = "local",
    ) -> Found:
        """Best first. score is an absolute 0..1 relevance: see `relevance.py`.

        Collections without passages, unknown or of another organisation add nothing.
        vector: the query's vector, when the caller has it already. A document that was
        indexed before the call is found, whichever process indexed it. rerank "provider" without a
        provider, or one that fails, is "local": a search never fails for it. Raises EmbeddingMismatch.
        """
        if not query.strip() or limit < 1:
            return Found()
        clock = _Clock()
        views = await self._open(org_id, collection_ids)
        if not views:
            return Found()
        narrowed = None if filters is None or filters.empty else filters
        asked = self.embedder.query(query) if vector is None else _given(vector)
        worded = asyncio.gather(*(view.with_words(query[:_QUERY_CHARS], _FOUND, narrowed) for view in views))
        meant, words = await asyncio.gather(asked, worded)
        clock.lap("embed_and_words")
        lists = [await _candidates(view, meant, each, narrowed) for view, each in zip(views, words, strict=True)]
        clock.lap("meaning")
        candidates = [candidate for each in lists for candidate in each]
        fused = fuse(candidates, query, await _passages(judged(candidates)))
        ranked = await _shown(fused[: max(RERANKED, 3 * limit)], query, background(c.dense for c in fused))
        clock.lap("fuse")
        seen = evidence(query, ranked[:RERANKED])
        clock.lap("judge")
        reranker, ordered = await self._reranked(query, list(zip(ranked, seen, strict=False)), rerank)
        clock.lap("rerank")
        passages = [passage for passage, _ in ordered]
        answer = answerability(passages, [words for _, words in ordered])
        chosen = distinct(passages + ranked[RERANKED:], limit, min_score)
        return Found(chosen, answer, reranker, clock.milliseconds, passages)

    async def _reranked(self, query: str, top: list[_Seen], wanted: Reranking) -> tuple[str | None, list[_Seen]]:
        """The best in their new order, and whose order it is."""
        if wanted == "off" or not top:
            return None, top
        name, scores = await self._scores(query, top, self._provider if wanted == "provider" else None)
        for (passage, _), score in zip(top, scores, strict=True):
            passage.explanation["reranked"] = score
        return name, sorted(top, key=lambda one: -one[0].explanation["reranked"])

    async def _scores(self, query: str, top: list[_Seen], provider: Reranker | None) -> tuple[str, list[float]]:
        """The provider's when it gives any."""
        passages = [passage for passage, _ in top]
        if provider is not None:
            try:
                return provider.name, await provider.rerank(query, passages)
            except DomainError:
                pass
        return BY_WORDS, by_words(passages, [words for _, words in top])

    async def passages(self, org_id: UUID, refs: Sequence[PassageRef], *, neighbours: int = 0) -> list[Passage]:
        """The passages of these references, in order, with the reference's score. Those gone are left out.

        neighbours: how many passages before and behind each are shown with it, see `neighbours.py`.
        """
        views = {view.collection_id: view for view in await self._open(org_id, [ref.collection_id for ref in refs])}
        found: dict[tuple[UUID, str], Passage] = {}
        near: list[Passage] = []
        for collection_id, view in views.items():
            ids = [ref.passage_id for ref in refs if ref.collection_id == collection_id]
            here = await view.by_id(ids)
            found |= {(collection_id, id_): passage for id_, passage in here.items()}
            if neighbours and here:
                near += await view.near(list(here.values()), (neighbours + 1) * MOST)
        listed = [
            replace(found[ref.collection_id, ref.passage_id], score=ref.score)
            for ref in refs
            if (ref.collection_id, ref.passage_id) in found
        ]
        return widened(listed, near, neighbours) if neighbours else listed

    async def _open(self, org_id: UUID, collection_ids: Iterable[UUID]) -> list[View]:
        views = [await self._views.of(org_id, collection_id) for collection_id in dict.fromkeys(collection_ids)]
        return [view for view in views if view is not None]


async def _given(vector: Vector) -> Vector:
    return vector


async def _candidates(view: View, vector: Vector, words: dict[Row, float], filters: Filters | None) -> list[Candidate]:
    """What either half found, each with its cosine: a half that lacks a passage says nothing against it."""
    if len(vector) != view.dimensions:
        raise EmbeddingMismatch(view.dimensions, len(vector))
    # On disk this reads the hits of the word search, beside the search by meaning.
    dense, _ = await asyncio.gather(view.nearest(vector, _FOUND, filters), view.passages(list(words)))
    only_words = [row for row in words if row not in dense]
    hubs = await view.hubs([*dense, *only_words])
    dense |= await view.cosines(only_words, vector)
    return [Candidate(view, row, cosine, words.get(row, 0.0), hubs[row]) for row, cosine in dense.items()]


async def _shown(fused: list[Candidate], query: str, beneath: float) -> list[Passage]:
    """The passages of these candidates, in order, with their relevance and what each stage said."""
    texts = await _passages(fused)
    return [
        replace(
            texts[c.key],
            score=relevance(c.dense, beneath),
            explanation={
                "dense": c.dense,
                "keyword": c.keyword,
                "coverage": coverage(query, texts[c.key].whole),
                "fused": c.fused,
            },
        )
        for c in fused
        if c.key in texts
    ]


def distinct(ordered: list[Passage], limit: int, min_score: float) -> list[Passage]:
    """The first `limit` that are relevant enough and do not repeat a better one."""
    chosen: list[Passage] = []
    for passage in ordered:
        if len(chosen) == limit:
            break
        if passage.score >= min_score and not any(_repeats(passage, better) for better in chosen):
            chosen.append(passage)
    return chosen


async def _passages(candidates: list[Candidate]) -> dict[Key, Passage]:
    found: dict[Key, Passage] = {}
    for view in {id(c.view): c.view for c in candidates}.values():
        made = await view.passages([c.row for c in candidates if c.view is view])
        found |= {(view.collection_id, row): passage for row, passage in made.items()}
    return found


def _repeats(passage: Passage, other: Passage) -> bool:
    if passage.text == other.text:
        return True
    if passage.document_id != other.document_id:
        return False
    shared = min(passage.char_end, other.char_end) - max(passage.char_start, other.char_start)
    shorter = min(passage.char_end - passage.char_start, other.char_end - other.char_start)
    return shared > _SAME * shorter


class _Clock:
    """Milliseconds between the stages of one search."""

    def __init__(self) -> None:
        self.milliseconds: dict[str, float] = {}
        self._since = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.milliseconds[stage] = (now - self._since) * 1000
        self._since = now
