"""Each kind of failure has its own move: whom to ask next, and what it says about the provider's health."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from domain.errors import FailureKind
from domain.models.choice import Option

Order = Literal["next", "other_providers_first", "larger_windows_first"]
Breaker = Literal["counts", "opens", "ignores"]


@dataclass(frozen=True, slots=True)
class Move:
    """order: of those that are left. breaker: counts (opens at too many), opens (at once), ignores (not its fault)."""

    order: Order
    breaker: Breaker


MOVES: dict[FailureKind, Move] = {
    # The key is wrong or the account is empty: every model of that provider ends the same, and so does the next call.
    "auth": Move("other_providers_first", "opens"),
    "quota": Move("other_providers_first", "opens"),
    # A limit on one model; with Retry-After the breaker stays open for as long, without it counts.
    "rate": Move("next", "counts"),
    "overload": Move("next", "counts"),
    "timeout": Move("next", "counts"),
    # Nobody at that address: its other models are not there either.
    "unreachable": Move("other_providers_first", "counts"),
    # The same provider filters the same words with each of its models.
    "content_filter": Move("other_providers_first", "ignores"),
    "context_overflow": Move("larger_windows_first", "ignores"),
    # Our request, or a model that is not there: another provider may take it.
    "bad_request": Move("next", "ignores"),
    "garbage": Move("next", "counts"),
}


def reorder(kind: FailureKind, failed: Option, rest: Sequence[Option]) -> list[Option]:
    """Who is asked next, after this failure. Nobody is dropped: the last may still answer."""
    order = MOVES[kind].order
    if order == "other_providers_first":
        return sorted(rest, key=lambda option: option.provider == failed.provider)
    if order == "larger_windows_first":
        return sorted(rest, key=lambda option: option.facts.context_tokens <= failed.facts.context_tokens)
    return list(rest)
