"""One call to one model, as the router makes it and the ledger writes it down."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from contracts.turn import Usage
from domain.errors import FailureKind

TaskClass = Literal["route", "reply", "reasoning", "long_context", "fast", "judge", "experimental"]
"""What a call is for; a policy names the models of each class."""

CallOutcome = FailureKind | Literal["answered", "superseded", "lost"]
"""How a call ended. lost: its worker died, and nobody knows what the provider did."""


@dataclass(frozen=True, slots=True)
class CallPlace:
    """Whose call this is, and where it belongs: what spending is counted by.

    key names the step that calls, the same in every attempt of it (`{turn_id}.{step}` in a turn).
    api_key_id: the key of the request that began the turn, None for work of the house.
    """

    org_id: UUID
    key: str
    task: TaskClass
    turn_id: UUID | None = None
    conversation_id: UUID | None = None
    agent_id: UUID | None = None
    api_key_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class ModelCall:
    """A call to a provider. number counts the calls of a step over all its attempts and candidates, from 1."""

    place: CallPlace
    number: int
    provider: str
    model: str
    attempt: int = 1

    @property
    def key(self) -> str:
        """Unique, and the same when the same call is written down again."""
        return f"{self.place.key}.{self.number}"


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a call. usage is the provider's own count, or ours where `estimated`."""

    outcome: CallOutcome
    usage: Usage
    cost_micros: int
    latency_ms: float
    first_token_ms: float | None = None
    estimated: bool = False
    detail: str | None = None
    ended_at: datetime | None = None
