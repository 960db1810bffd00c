"""Guard: the whole outgoing text, once more, after it was checked while it streamed."""

from temporalio import activity

from activities.errors import domain_errors
from contracts.turn import GuardInput, Verdict
from db.engine import Database
from domain.agents.version_store import AgentVersions
from domain.conversations import evidence_store
from domain.guard.guard import check_outgoing


class Guard:
    def __init__(self, database: Database, versions: AgentVersions) -> None:
        self._database = database
        self._versions = versions

    @activity.defn(name="guard")
    @domain_errors()
    async def guard(self, input: GuardInput) -> Verdict:
        """Changes nothing. Text that the evidence or the customer brought is not a leak."""
        config = await self._versions.config(input.ref.org_id, input.ref.agent_version_id)
        verdict = check_outgoing(input.text, config.guardrails, [])
        if verdict.action == "allow":
            return verdict
        async with self._database.transaction(input.ref.org_id) as connection:
            grounded = await evidence_store.grounded_texts(connection, input.ref.turn_id)
        return check_outgoing(input.text, config.guardrails, [*grounded, input.question])
