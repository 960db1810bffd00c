"""Route: which language the message is in, and which known intent it has."""

from temporalio import activity

from activities.errors import domain_errors
from contracts.turn import Route, RouteInput
from domain.agents.version_store import AgentVersions
from domain.routing.router import Router


class RouteStep:
    def __init__(self, versions: AgentVersions, router: Router) -> None:
        self._versions = versions
        self._router = router

    @activity.defn(name="route")
    @domain_errors()
    async def route(self, input: RouteInput) -> Route:
        """Changes nothing."""
        config = await self._versions.config(input.ref.org_id, input.ref.agent_version_id)
        return await self._router.route(input.text, config.intents, input.ref.agent_version_id)
