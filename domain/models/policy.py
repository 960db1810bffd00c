"""What an organisation or an agent says about which models may answer. Data only; `choice.py` applies it."""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from domain.agents.config import ConfigPart, ModelSettings
from domain.llm.model import Reasoning
from domain.llm.provider_config import ProviderName
from domain.models.call import TaskClass

Capability = Literal["tools", "images", "files", "json_schema", "reasoning"]
Region = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
TierName = Annotated[str, StringConstraints(min_length=1, max_length=60)]


class Candidate(ConfigPart):
    """One model that may answer. model None: the provider's default.

    context_tokens, lacks and region say what is not known of it otherwise, or correct it: a model of one's own
    server is in no table. reasoning: how long this one may think; None leaves it to the agent.
    """

    provider: ProviderName
    model: Annotated[str, StringConstraints(min_length=1, max_length=120)] | None = None
    context_tokens: Annotated[int, Field(ge=256, le=100_000_000)] | None = None
    lacks: list[Capability] = Field(default_factory=list, max_length=5)
    region: Region | None = None
    reasoning: Reasoning | None = None


Candidates = Annotated[list[Candidate], Field(min_length=1, max_length=16)]


class Tier(ConfigPart):
    """What is different for some customers. A class that is not named here is as for everybody."""

    tasks: dict[TaskClass, Candidates] = Field(default_factory=dict)
    max_cost_micros: Annotated[int, Field(ge=1)] | None = None


class ModelPolicy(ConfigPart):
    """Ordered candidates by task class; the first that fits and is well answers, the others stand behind it.

    A class that is not named has the candidates of `reply`. tiers: by the label `tier` of a conversation.
    regions: where a model may run; empty means anywhere. max_cost_micros: what one call may cost at the worst, in
    millionths of a US dollar. hedge_after_ms: ask the second candidate too when the first has said nothing for so
    long. queue_seconds: how long a call waits for a busy provider before the next candidate is asked.
    experiment_percent: of the conversations, how many try the class `experimental` first.
    """

    tasks: dict[TaskClass, Candidates] = Field(default_factory=dict)
    tiers: dict[TierName, Tier] = Field(default_factory=dict, max_length=20)
    regions: list[Region] = Field(default_factory=list, max_length=50)
    max_cost_micros: Annotated[int, Field(ge=1)] | None = None
    hedge_after_ms: Annotated[int, Field(ge=10, le=60_000)] | None = None
    queue_seconds: Annotated[float, Field(gt=0, le=120)] = 20
    experiment_percent: Annotated[int, Field(ge=0, le=100)] = 0

    def candidates(self, task: TaskClass, tier: str | None) -> Sequence[Candidate]:
        """Those of the tier before those of everybody; those of the class before those of `reply`."""
        own = self.tiers[tier].tasks if tier in self.tiers else {}
        found = own.get(task) or self.tasks.get(task)
        if not found and task not in _NEVER_REPLY:
            found = own.get("reply") or self.tasks.get("reply")
        return found or ()

    def all_candidates(self, tier: str | None) -> Sequence[Candidate]:
        """Whatever class they are of."""
        own = self.tiers[tier].tasks if tier in self.tiers else {}
        return [candidate for tasks in (own, self.tasks) for each in tasks.values() for candidate in each]

    def price_ceiling(self, tier: str | None) -> int | None:
        """Micros of one call; that of the tier, where it has one."""
        own = self.tiers[tier].max_cost_micros if tier in self.tiers else None
        return own if own is not None else self.max_cost_micros


_NEVER_REPLY = ("long_context", "experimental")
"""These are only asked when they are named: they stand in for `reply`, and not the other way round."""


def policy_of_agent(settings: ModelSettings, provider: str) -> ModelPolicy:
    """An agent's own `model` setting as a policy: one candidate and nobody behind it."""
    candidate = Candidate(provider=provider, model=settings.name, context_tokens=settings.context_tokens)
    return ModelPolicy(tasks={"reply": [candidate]})
