"""What a turn and its steps say to each other while no model can answer: park, wait, go on."""

from typing import Literal

from contracts.model import Contract
from contracts.turn import TurnRef

Woken = Literal["timer", "message", "retry"]
"""Why a parked turn tries again: its pause is over, the customer wrote again, or somebody asked for it."""


class ParkInput(Contract):
    """A reply that failed for now. pauses: how many the turn has made before; waited_seconds: since the first began.

    retry_after_seconds: the pause that the provider asked for. step is that of the reply that failed.
    """

    ref: TurnRef
    number: int
    step: int
    code: str
    detail: str
    language: str = "en"
    pauses: int = 0
    waited_seconds: float = 0
    retry_after_seconds: float | None = None


class Parked(Contract):
    """What is to be done: wait so long, explain at once, or hand over to a person.

    firm: a new message does not end the pause early. spoken: the customer has already read a part of the reply.
    """

    action: Literal["wait", "explain", "hand_over"]
    seconds: float = 0
    firm: bool = False
    spoken: bool = False


class UnparkInput(Contract):
    """The pause, counted from 1, is over."""

    ref: TurnRef
    pause: int
    woken: Woken
