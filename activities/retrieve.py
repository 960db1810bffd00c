"""Retrieve: the passages that may answer the message, best first."""

from temporalio import activity

from activities.errors import domain_errors
from contracts.turn import PassageRef, Retrieval, RetrieveInput
from domain.agents.version_store import AgentVersions
from domain.knowledge.search import Knowledge


class Retrieve:
    def __init__(self, versions: AgentVersions, knowledge: Knowledge) -> None:
        self._versions = versions
        self._knowledge = knowledge

    @activity.defn(name="retrieve")
    @domain_errors()
    async def retrieve(self, input: RetrieveInput) -> Retrieval:
        """Changes nothing. An agent without collections finds nothing."""
        config = await self._versions.config(input.ref.org_id, input.ref.agent_version_id)
        if not config.collections:
            return Retrieval()
        found = await self._knowledge.search(
            input.ref.org_id,
            config.collections,
            input.text,
            limit=config.retrieval.limit,
            min_score=config.retrieval.min_score,
        )
        return Retrieval(
            passages=[
                PassageRef(collection_id=p.collection_id, document_id=p.document_id, passage_id=p.id, score=p.score)
                for p in found
            ]
        )
