"""Check: incoming text, before any model has seen it."""

from temporalio import activity

from activities.errors import domain_errors
from contracts.turn import CheckInput, Verdict
from domain.agents.version_store import AgentVersions
from domain.guard.guard import check_incoming


class Check:
    def __init__(self, versions: AgentVersions) -> None:
        self._versions = versions

    @activity.defn(name="check")
    @domain_errors()
    async def check(self, input: CheckInput) -> Verdict:
        """Changes nothing. A blocked verdict carries the text that the turn answers with."""
        config = await self._versions.config(input.ref.org_id, input.ref.agent_version_id)
        return check_incoming(input.text, config.guardrails)
