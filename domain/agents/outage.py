"""What an agent does while no model can answer it. Not for when that is: `domain/models` knows."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Language = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")]
Notice = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]


class OutageSettings(BaseModel):
    """A parked turn tries again after pauses that double from the first to the longest.

    give_up_seconds after the first pause began, a person must answer; 0: never park, explain at once.
    budget: whether a spent budget parks a turn too. notice and handover are what the customer reads, by language;
    the house has words of its own for the others.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    first_pause_seconds: Annotated[float, Field(ge=0.1, le=3600)] = 5
    longest_pause_seconds: Annotated[float, Field(ge=0.1, le=3600)] = 60
    give_up_seconds: Annotated[float, Field(ge=0, le=7 * 86_400)] = 900
    budget: Literal["park", "explain"] = "explain"
    notice: dict[Language, Notice] = {}
    handover: dict[Language, Notice] = {}

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.longest_pause_seconds < self.first_pause_seconds:
            raise ValueError("longest_pause_seconds is at least first_pause_seconds")
        return self
