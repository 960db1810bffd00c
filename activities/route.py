"""Route: the language of the message, its intent among the known ones, and whether it may pass."""

from contracts.turn import Route, TurnRef, Verdict
from domain.agents.config import AgentConfig
from domain.guard.guard import check_incoming
from domain.routing.router import Router


class RouteStep:
    def __init__(self, router: Router) -> None:
        self._router = router

    async def route(self, ref: TurnRef, config: AgentConfig, text: str) -> tuple[Route, Verdict]:
        """Changes nothing. A blocked verdict carries the text that the turn answers with."""
        checked = check_incoming(text, config.guardrails)
        return await self._router.route(text, config.intents, ref.agent_version_id), checked
