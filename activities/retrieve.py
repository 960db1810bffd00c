"""Retrieve: the passages that may answer the message, best first."""

from contracts.turn import PassageRef, Retrieval, TurnRef
from domain.agents.config import AgentConfig
from domain.knowledge.search import Knowledge


class Retrieve:
    def __init__(self, knowledge: Knowledge) -> None:
        self._knowledge = knowledge

    async def retrieve(self, ref: TurnRef, config: AgentConfig, text: str) -> Retrieval:
        """Changes nothing. An agent without collections finds nothing."""
        if not config.collections:
            return Retrieval()
        found = await self._knowledge.search(
            ref.org_id,
            config.collections,
            text,
            limit=config.retrieval.limit,
            min_score=config.retrieval.min_score,
        )
        return Retrieval(
            passages=[
                PassageRef(collection_id=p.collection_id, document_id=p.document_id, passage_id=p.id, score=p.score)
                for p in found
            ]
        )
