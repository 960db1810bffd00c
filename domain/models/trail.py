"""What happened while one reply was asked for: who was tried, who was not, and why. For the turn's record."""

from dataclasses import dataclass, field

from contracts.turn import TriedModel
from domain.models.call import CallOutcome, CallPlace, ModelCall
from domain.models.choice import Choice, Option, PassedOver


@dataclass(slots=True)
class Trail:
    """calls: how many the step made before, in all its attempts. answer: the call that finished, once one did."""

    place: CallPlace
    attempt: int
    calls: int
    because: str = ""
    tried: list[TriedModel] = field(default_factory=list)
    answer: ModelCall | None = None
    cost_micros: int = 0

    def next_call(self, option: Option) -> ModelCall:
        """The next number is taken, whatever becomes of the call."""
        self.calls += 1
        return ModelCall(self.place, self.calls, option.provider, option.model, self.attempt)

    def chosen(self, origin: str, choice: Choice) -> None:
        self.because = f"{origin}: {choice.because}"
        for each in choice.passed_over:
            self.passed_over(each)

    def passed_over(self, each: PassedOver) -> None:
        self.tried.append(
            TriedModel(
                provider=each.provider, model=each.model, outcome="passed_over", detail=f"{each.why}: {each.detail}"
            )
        )

    def asked(self, call: ModelCall, outcome: CallOutcome, milliseconds: float, detail: str | None = None) -> None:
        self.tried.append(
            TriedModel(
                provider=call.provider,
                model=call.model,
                outcome=outcome,
                detail=detail,
                milliseconds=round(milliseconds, 1),
                number=call.number,
            )
        )

    def not_asked(self, option: Option, outcome: str, detail: str) -> None:
        self.tried.append(TriedModel(provider=option.provider, model=option.model, outcome=outcome, detail=detail))
