"""Request, policy, facts and health -> the candidates in order, and why. A pure function: it asks and changes nothing.

Not for what happens when a candidate fails: see `moves.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

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

    candidate: Candidate
    facts: ModelFacts
    probe: bool = False

    @property
    def provider(self) -> str:
        return self.candidate.provider

    @property
    def model(self) -> str:
        return self.facts.model


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


class Known(Protocol):
    """See `facts.Facts`."""

    def of(self, candidate: Candidate) -> ModelFacts | None: ...


Prices = Mapping[tuple[str, str], int]
"""Micros of this call at the worst, by provider and model. Only asked for where the policy has a ceiling."""


@dataclass(slots=True)
class _Sorting:
    """shortened: would do, but the request must lose something to fit."""

    options: list[Option] = field(default_factory=list)
    shortened: list[Option] = field(default_factory=list)
    passed_over: list[PassedOver] = field(default_factory=list)
    seen: set[tuple[str, str]] = field(default_factory=set)


def choose(
    need: Need, policy: ModelPolicy, known: Known, health: Mapping[tuple[str, str], Health], prices: Prices
) -> Choice:
    """Every candidate of the policy that can answer, in order; each of the others with its reason.

    health holds those that are not well. A request too long for a candidate of its class may go to the class
    `long_context` as well; one too long for all goes to the largest window, shortened.
    """
    sorting, reasons = _Sorting(), [f"task {need.task}" + (f", tier {need.tier}" if need.tier else "")]
    if need.bucket < policy.experiment_percent and policy.candidates("experimental", need.tier):
        reasons.append(f"experiment ({policy.experiment_percent}% of conversations)")
        _sort(sorting, policy.candidates("experimental", need.tier), need, policy, known, health, prices)
    _sort(sorting, policy.candidates(need.task, need.tier), need, policy, known, health, prices)
    further = policy.candidates("long_context", need.tier)
    if sorting.shortened and further:
        reasons.append(f"long_context too: about {need.input_tokens + need.output_tokens} tokens")
        _sort(sorting, further, need, policy, known, health, prices)
    if sorting.options or not sorting.shortened:
        return Choice(tuple(sorting.options), tuple(sorting.passed_over), "; ".join(reasons))
    reasons.append("too long for every window: shortened")
    largest_first = sorted(sorting.shortened, key=lambda option: -option.facts.context_tokens)
    others = tuple(each for each in sorting.passed_over if each.why != "context")
    return Choice(tuple(largest_first), others, "; ".join(reasons))


def _sort(
    sorting: _Sorting,
    candidates: Sequence[Candidate],
    need: Need,
    policy: ModelPolicy,
    known: Known,
    health: Mapping[tuple[str, str], Health],
    prices: Prices,
) -> None:
    for candidate in candidates:
        facts = known.of(candidate)
        key = (candidate.provider, facts.model if facts else candidate.model or "")
        if key in sorting.seen:
            continue
        sorting.seen.add(key)
        if facts is None:
            sorting.passed_over.append(PassedOver(*key, "not_configured", "no provider of this name is configured"))
            continue
        state = health.get(key, WELL)
        option = Option(candidate, facts, probe=state.state == "half_open")
        refusal = next(_refusals(option, state, need, policy, prices), None)
        if refusal is None:
            sorting.options.append(option)
            continue
        sorting.passed_over.append(refusal)
        if refusal.why == "context" and state.state in {"closed", "half_open"}:
            sorting.shortened.append(option)


def _refusals(option: Option, state: Health, need: Need, policy: ModelPolicy, prices: Prices) -> Iterator[PassedOver]:
    """Lasting reasons before passing ones: a candidate that never fits is not waited for."""
    key, facts = (option.provider, option.model), option.facts
    missing = need.capabilities & facts.lacks
    if missing:
        yield PassedOver(*key, "capability", f"has no {', '.join(sorted(missing))}")
    if policy.regions and facts.region not in policy.regions:
        yield PassedOver(*key, "region", f"runs in {facts.region or 'an unknown region'}")
    ceiling = policy.price_ceiling(need.tier)
    if ceiling is not None and prices.get(key, 0) > ceiling:
        yield PassedOver(*key, "price", f"up to {prices[key]} micros, the ceiling is {ceiling}")
    whole = need.input_tokens + need.output_tokens
    if whole > facts.context_tokens:
        yield PassedOver(*key, "context", f"about {whole} tokens, its window is {facts.context_tokens}")
    if state.state == "open":
        detail = f"open for {state.seconds:.1f} s more after {state.kind or 'failures'}"
        yield PassedOver(*key, "open", detail, state.seconds)
    elif state.state == "probing":
        yield PassedOver(*key, "probing", "another call is trying it", state.seconds)
