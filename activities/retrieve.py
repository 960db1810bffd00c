"""Retrieve: the passages that may answer the message, best first; a follow-up is searched as what it means."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from uuid import UUID, uuid4

from contracts.turn import PassageRef, Retrieval, Rewrite, TurnRef
from domain.agents.config import AgentConfig
from domain.knowledge.join import joined
from domain.knowledge.rewrite import Line, Rewriter, RuleRewriter
from domain.knowledge.search import Found, Knowledge
from domain.llm.model import ModelRequest, Piece
from domain.llm.rewrite import ModelRewriter
from domain.models.call import CallPlace
from domain.models.router import ModelRouter, Ruling
from domain.models.trail import Trail

History = Callable[[], Awaitable[Sequence[Line]]]
"""Waits for the messages before this turn, oldest first."""


_WITHOUT_A_MODEL = ("extractive", "")


class _Routed:
    """A model behind the router, asked once for one line."""

    def __init__(self, router: ModelRouter, ruling: Ruling, place: CallPlace) -> None:
        self._router = router
        self._ruling = ruling
        self._trail = Trail(place, 1, 0)
        self._expected = router.expected(ruling)

    @property
    def provider(self) -> str:
        return self._trail.answer.provider if self._trail.answer else self._expected[0]

    @property
    def model(self) -> str:
        return self._trail.answer.model if self._trail.answer else self._expected[1]

    @property
    def cost_micros(self) -> int:
        return self._trail.cost_micros

    def stream(self, request: ModelRequest) -> AsyncGenerator[Piece, None]:
        return self._router.stream(self._trail, self._ruling, request)


class Retrieve:
    def __init__(self, knowledge: Knowledge, router: ModelRouter) -> None:
        self._knowledge = knowledge
        self._router = router

    async def retrieve(
        self, ref: TurnRef, config: AgentConfig, text: str, history: History, *, api_key_id: UUID | None = None
    ) -> Retrieval:
        """Changes nothing but the ledger. An agent without collections finds nothing.

        The text is searched for while the history is on its way: most messages stand alone.
        """
        if not config.collections:
            return Retrieval()
        plain = asyncio.ensure_future(self._search(ref.org_id, config, text))
        try:
            rewrite = await self._rewrite(ref, config, text, history, api_key_id)
            found = await self._found(ref.org_id, config, rewrite, plain)
        finally:
            await _drop(plain)
        return Retrieval(
            passages=[
                PassageRef(collection_id=p.collection_id, document_id=p.document_id, passage_id=p.id, score=p.score)
                for p in found.passages
            ],
            rewrite=rewrite,
            answerable=found.answerable,
        )

    async def _found(
        self, org_id: UUID, config: AgentConfig, rewrite: Rewrite | None, plain: "asyncio.Future[Found]"
    ) -> Found:
        """A question that a model wrote stands alone; one that rules wrote is joined with the message itself."""
        if rewrite is None:
            return await plain
        rewritten = await self._search(org_id, config, rewrite.query)
        if rewrite.by == "model":
            return rewritten
        return joined(await plain, rewritten, limit=config.retrieval.limit, min_score=config.retrieval.min_score)

    async def _rewrite(
        self, ref: TurnRef, config: AgentConfig, text: str, history: History, api_key_id: UUID | None
    ) -> Rewrite | None:
        if config.retrieval.rewrite == "off":
            return None
        rewriter = await self._rewriter(ref, config, api_key_id)
        return await rewriter.rewrite(text, await history())

    async def _rewriter(self, ref: TurnRef, config: AgentConfig, api_key_id: UUID | None) -> Rewriter:
        if config.retrieval.rewrite == "rules":
            return RuleRewriter()
        ruling = await self._router.ruling(
            ref.org_id, ref.agent_version_id, config.model, task="fast", conversation_id=ref.conversation_id
        )
        # Each time it is prepared a turn asks anew, with more words when a message has joined it.
        key = f"{ref.turn_id}.rewrite.{uuid4().hex[:12]}"
        place = CallPlace(ref.org_id, key, "fast", ref.turn_id, ref.conversation_id, api_key_id=api_key_id)
        asked = _Routed(self._router, ruling, place)
        return RuleRewriter() if asked.provider in _WITHOUT_A_MODEL else ModelRewriter(asked, RuleRewriter())

    async def _search(self, org_id: UUID, config: AgentConfig, text: str) -> Found:
        return await self._knowledge.find(
            org_id,
            config.collections,
            text,
            limit=config.retrieval.limit,
            min_score=config.retrieval.min_score,
            filters=config.retrieval.filters,
            rerank=config.retrieval.rerank,
        )


async def _drop(search: "asyncio.Future[Found]") -> None:
    """End a search whose answer nobody wants, or that is done."""
    search.cancel()
    await asyncio.wait([search])
    if not search.cancelled():
        search.exception()
