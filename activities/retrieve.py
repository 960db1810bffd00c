"""Retrieve: the passages that may answer the message, best first; a follow-up is searched as what it means."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from contracts.turn import PassageRef, Retrieval, Rewrite, TurnRef
from domain.agents.config import AgentConfig
from domain.knowledge.join import joined
from domain.knowledge.rewrite import Line, Rewriter, RuleRewriter
from domain.knowledge.search import Found, Knowledge
from domain.llm.providers import Providers
from domain.llm.rewrite import ModelRewriter

History = Callable[[], Awaitable[Sequence[Line]]]
"""Waits for the messages before this turn, oldest first."""


class Retrieve:
    def __init__(self, knowledge: Knowledge, providers: Providers) -> None:
        self._knowledge = knowledge
        self._providers = providers

    async def retrieve(self, ref: TurnRef, config: AgentConfig, text: str, history: History) -> Retrieval:
        """Changes nothing. An agent without collections finds nothing.

        The text is searched for while the history is on its way: most messages stand alone.
        """
        if not config.collections:
            return Retrieval()
        plain = asyncio.ensure_future(self._search(ref.org_id, config, text))
        try:
            rewrite = await self._rewrite(config, text, history)
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

    async def _rewrite(self, config: AgentConfig, text: str, history: History) -> Rewrite | None:
        if config.retrieval.rewrite == "off":
            return None
        return await self._rewriter(config).rewrite(text, await history())

    def _rewriter(self, config: AgentConfig) -> Rewriter:
        if config.retrieval.rewrite == "rules":
            return RuleRewriter()
        provider, model = self._providers.choose(config.model)
        return RuleRewriter() if provider.name == "extractive" else ModelRewriter(provider, model, RuleRewriter())

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
