"""Request, policy, facts and health -> the candidates in order, and why. A pure function: it asks and changes nothing.

Not for what happens when a candidate fails: see `moves.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from domain.llm.model import Reasoning
from domain.models.call import TaskClass
from domain.models.facts import ModelFacts
from domain.models.policy import Candidate, Capability, ModelPolicy

Why = Literal["not_configured", "capability", "context", "region", "price", "open", "probing"]
State = Literal["closed", "open", "half_open", "probing"]


@dataclass(frozen=True, slots=True)
class Need:
    """What a call asks for. bucket: 0..99, the same for all calls of a conversation, for experiments."""

    task: TaskClass = "reply"
    tier: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    capabilities: frozenset[Capability] = frozenset()
    bucket: int = 99


@dataclass(frozen=True, slots=True)
class Health:
    """A breaker as it is now. seconds: until it may be tried, when it is not closed. kind: what it failed with."""

    state: State = "closed"
    seconds: float = 0.0
    kind: str | None = None


WELL = Health()


@dataclass(frozen=True, slots=True)
class Option:
    """A candidate that fits. probe: it is half open, so only one call may try it at a time."""

    provider: str
    model: str
    context_tokens: int | None = None
    worst_case_micros: int = 0
    probe: bool = False
    reasoning: Reasoning | None = None


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A candidate that was not asked, and why. seconds: until it may be tried, where that is known."""

    provider: str
    model: str
    why: Why
    detail: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """options in the order in which they are asked. because: why this list."""

    options: tuple[Option, ...]
    passed_over: tuple[PassedOver, ...] = ()
    because: str = ""

    @property
    def seconds(self) -> float | None:
        """Until the first of those that are only unwell may be tried."""
        waits = [each.seconds for each in self.passed_over if each.seconds is not None]
        return min(waits, default=None)


class KnownFacts(Protocol):
    """See `facts.Facts`."""

    def of(self, candidate: Candidate) -> ModelFacts | None: ...

    def worst_case(self, provider: str, model: str, input_tokens: int, output_tokens: int) -> int: ...


@dataclass(slots=True)
class _Sorting:
    options: list[Option] = field(default_factory=list)
    passed_over: list[PassedOver] = field(default_factory=list)
    seen: set[tuple[str, str]] = field(default_factory=set)


def choose(need: Need, policy: ModelPolicy, facts: KnownFacts, health: Mapping[tuple[str, str], Health]) -> Choice:
    """Every candidate of the policy that can answer, in order; each of the others with its reason.

    health holds those that are not well. A request too long for a candidate of its class may go to the class
    `long_context` as well.
    """
    sorting, reasons = _Sorting(), [f"task {need.task}" + (f", tier {need.tier}" if need.tier else "")]
    if need.bucket < policy.experiment_percent and policy.candidates("experimental", need.tier):
        reasons.append(f"experiment ({policy.experiment_percent}% of conversations)")
        _sort(sorting, policy.candidates("experimental", need.tier), need, policy, facts, health)
    _sort(sorting, policy.candidates(need.task, need.tier), need, policy, facts, health)
    if any(each.why == "context" for each in sorting.passed_over):
        further = policy.candidates("long_context", need.tier)
        if further:
            reasons.append(f"long_context too: about {need.input_tokens + need.output_tokens} tokens")
        _sort(sorting, further, need, policy, facts, health)
    return Choice(tuple(sorting.options), tuple(sorting.passed_over), "; ".join(reasons))


def _sort(
    sorting: _Sorting,
    candidates: Sequence[Candidate],
    need: Need,
    policy: ModelPolicy,
    facts: KnownFacts,
    health: Mapping[tuple[str, str], Health],
) -> None:
    for candidate in candidates:
        known = facts.of(candidate)
        model = known.model if known else candidate.model or ""
        if (candidate.provider, model) in sorting.seen:
            continue
        sorting.seen.add((candidate.provider, model))
        if known is None:
            detail = "no provider of this name is configured"
            sorting.passed_over.append(PassedOver(candidate.provider, model, "not_configured", detail))
            continue
        cost = facts.worst_case(candidate.provider, model, need.input_tokens, need.output_tokens)
        state = health.get((candidate.provider, model), WELL)
        refusal = next(_refusals(candidate.provider, known, cost, state, need, policy), None)
        if refusal is not None:
            sorting.passed_over.append(refusal)
        else:
            sorting.options.append(
                Option(
                    candidate.provider,
                    model,
                    known.context_tokens,
                    cost,
                    state.state == "half_open",
                    candidate.reasoning,
                )
            )


def _refusals(
    provider: str, known: ModelFacts, cost: int, state: Health, need: Need, policy: ModelPolicy
) -> Iterator[PassedOver]:
    """Lasting reasons before passing ones: a candidate that never fits is not waited for."""
    missing = need.capabilities & known.lacks
    if missing:
        yield PassedOver(provider, known.model, "capability", f"has no {', '.join(sorted(missing))}")
    whole = need.input_tokens + need.output_tokens
    if known.context_tokens is not None and whole > known.context_tokens:
        yield PassedOver(
            provider, known.model, "context", f"about {whole} tokens, its window is {known.context_tokens}"
        )
    if policy.regions and known.region not in policy.regions:
        yield PassedOver(provider, known.model, "region", f"runs in {known.region or 'an unknown region'}")
    ceiling = policy.price_ceiling(need.tier)
    if ceiling is not None and cost > ceiling:
        yield PassedOver(provider, known.model, "price", f"up to {cost} micros, the ceiling is {ceiling}")
    if state.state == "open":
        detail = f"open for {state.seconds:.1f} s more after {state.kind or 'failures'}"
        yield PassedOver(provider, known.model, "open", detail, state.seconds)
    elif state.state == "probing":
        yield PassedOver(provider, known.model, "probing", "another call is trying it", state.seconds)
