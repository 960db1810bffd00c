"""The one object that a step asks for a reply: finds the policy, chooses, asks, falls back, and tells what it did.

Not for what is asked (`domain/llm/prompt.py`) and not for the route of a message (`domain/routing`).
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from uuid import UUID

from domain.agents.config import ModelSettings
from domain.llm.model import ModelRequest, Piece
from domain.llm.providers import Providers
from domain.llm.window import Window, window
from domain.models.asking import Asking, CallWatch
from domain.models.breaker import Breakers
from domain.models.call import TaskClass
from domain.models.choice import Choice, Need, choose
from domain.models.facts import Facts, needs, size
from domain.models.fallback import Fallback
from domain.models.ledger import Ledger
from domain.models.limits import Limits
from domain.models.policies import Applied, Policies
from domain.models.trail import Trail


@dataclass(frozen=True, slots=True)
class Ruling:
    """What goes for the calls of one step: the policy, the customer's tier, and the share of experiments."""

    applied: Applied
    task: TaskClass
    tier: str | None
    bucket: int


class ModelRouter:
    """One a process. Everything it is given is shared by all calls."""

    def __init__(
        self,
        providers: Providers,
        policies: Policies,
        breakers: Breakers,
        limits: Limits,
        ledger: Ledger,
        watch: CallWatch,
    ) -> None:
        self._default = providers.default
        self._policies = policies
        self._breakers = breakers
        self._ledger = ledger
        self._facts = Facts(providers)
        self._fallback = Fallback(Asking(providers, limits, breakers, ledger, watch), breakers)

    async def ruling(
        self,
        org_id: UUID,
        agent_version_id: UUID,
        settings: ModelSettings,
        *,
        task: TaskClass = "reply",
        conversation_id: UUID | None = None,
    ) -> Ruling:
        """From memory, but for the first call of an agent version in this process. Raises NotFound."""
        applied = await self._policies.of(org_id, agent_version_id, settings, self._default)
        tier = await self._policies.tier(org_id, conversation_id, applied.policy)
        return Ruling(applied, task, tier, conversation_id.int % 100 if conversation_id else 99)

    def expected(self, ruling: Ruling) -> tuple[str, str]:
        """Provider and model that will probably answer, before it is known how much is asked."""
        choice = self._choose(ruling, Need(ruling.task, ruling.tier, bucket=ruling.bucket), {})
        first = (choice.options or choice.passed_over or (None,))[0]
        return ("", "") if first is None else (first.provider, first.model)

    def window(self, ruling: Ruling) -> Window:
        """That of the model that will probably answer."""
        choice = self._choose(ruling, Need(ruling.task, ruling.tier, bucket=ruling.bucket), {})
        first = next(iter(choice.options), None)
        return window("", "") if first is None else window(first.facts.kind, first.model, first.facts.context_tokens)

    async def choice(self, org_id: UUID, ruling: Ruling, request: ModelRequest) -> Choice:
        """Who would be asked this, in order, and why the others would not."""
        need = Need(ruling.task, ruling.tier, size(request), request.max_output_tokens, needs(request), ruling.bucket)
        return self._choose(ruling, need, await self._prices(org_id, ruling, need))

    async def explain(
        self, org_id: UUID, agent_version_id: UUID, settings: ModelSettings, need: Need
    ) -> tuple[str, Choice]:
        """Whose policy goes for a need, and who would be asked now; read anew. Raises NotFound."""
        applied = await self._policies.of(org_id, agent_version_id, settings, self._default, anew=True)
        await self._breakers.refresh()
        ruling = Ruling(applied, need.task, need.tier, need.bucket)
        return applied.origin, self._choose(ruling, need, await self._prices(org_id, ruling, need))

    async def stream(self, trail: Trail, ruling: Ruling, request: ModelRequest) -> AsyncGenerator[Piece, None]:
        """Pieces of one reply, ending with Finished; `request.model` is of no account. Close it when you stop early.

        trail is told everything as it happens. Raises ProviderFailure, or BudgetExceeded when no candidate may be paid.
        """
        choice = await self.choice(trail.place.org_id, ruling, request)
        trail.chosen(ruling.applied.origin, choice)
        pieces = self._fallback.stream(trail, choice, ruling.applied.policy, request)
        try:
            async for piece in pieces:
                yield piece
        finally:
            await pieces.aclose()

    def _choose(self, ruling: Ruling, need: Need, prices: dict[tuple[str, str], int]) -> Choice:
        return choose(need, ruling.applied.policy, self._facts, self._breakers.health(), prices)

    async def _prices(self, org_id: UUID, ruling: Ruling, need: Need) -> dict[tuple[str, str], int]:
        policy = ruling.applied.policy
        if policy.price_ceiling(ruling.tier) is None:
            return {}
        found: dict[tuple[str, str], int] = {}
        for candidate in policy.all_candidates(ruling.tier):
            facts = self._facts.of(candidate)
            if facts is not None:
                price = await self._ledger.prices.price(org_id, candidate.provider, facts.model)
                found[candidate.provider, facts.model] = price.worst_case_micros(need.input_tokens, need.output_tokens)
        return found
