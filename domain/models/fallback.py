"""A model made of models: asks the candidates in order until one has answered, and no reader sees text twice.

Not for choosing the candidates: see `choice.py`. What each kind of failure leads to stands in `moves.py`.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from domain.errors import BudgetExceeded, DomainError, ProviderFailure, ProviderRejected, ProviderUnavailable
from domain.llm.model import ModelRequest, Piece, TextPiece
from domain.models.asking import Asking
from domain.models.breaker import Breakers
from domain.models.choice import Choice, Option, PassedOver
from domain.models.hedge import Hedge
from domain.models.limits import Busy
from domain.models.moves import reorder
from domain.models.policy import ModelPolicy
from domain.models.trail import Trail

_ASK_AGAIN_SECONDS = 1.0
"""When another call is trying the only one there is: until it has probably told."""


class Fallback:
    def __init__(self, asking: Asking, breakers: Breakers) -> None:
        self._asking = asking
        self._breakers = breakers

    async def stream(
        self, trail: Trail, choice: Choice, policy: ModelPolicy, request: ModelRequest
    ) -> AsyncGenerator[Piece, None]:
        """Pieces of one reply, ending with Finished.

        A candidate that takes over in the middle goes on after what was said. Raises, when nobody answered, the
        failure that promises most: one after which asking again may help, and soonest.
        """
        rest, said, failures = list(choice.options), "", list[DomainError]()
        while rest:
            option = rest.pop(0)
            if option.probe and not await self._may_probe(trail, option, failures):
                continue
            hedge = self._hedge(trail, option, rest, policy, request) if not said else None
            following = replace(request, prefix=request.prefix + said)
            pieces = hedge.pieces() if hedge else self._asking.ask(trail, option, following, policy.queue_seconds)
            try:
                async with aclosing(pieces):
                    async for piece in pieces:
                        if isinstance(piece, TextPiece):
                            said += piece.text
                        yield piece
            except (ProviderFailure, BudgetExceeded, Busy) as error:
                failed = [*(hedge.failed if hedge else ()), (hedge.speaker if hedge else option, error)]
                gone = [each for each, _ in failed]
                rest = [each for each in (option, *rest) if each not in gone]
                failures += [_told(trail, each, because) for each, because in failed]
                rest = reorder(error.kind, gone[-1], rest) if isinstance(error, ProviderFailure) else rest
            else:
                return
        raise _most_promising(failures, choice)

    async def _may_probe(self, trail: Trail, option: Option, failures: list[DomainError]) -> bool:
        if await self._breakers.may_probe(option.provider, option.model):
            return True
        trail.passed_over(PassedOver(option.provider, option.model, "probing", "another call is trying it"))
        detail = f"{option.provider}/{option.model} is being tried by another call."
        failures.append(ProviderUnavailable(detail, kind="overload", retry_after=_ASK_AGAIN_SECONDS))
        return False

    def _hedge(
        self, trail: Trail, first: Option, rest: Sequence[Option], policy: ModelPolicy, request: ModelRequest
    ) -> Hedge | None:
        """Who probes is not waited for longer than it takes to fail, so it has nobody beside it."""
        second = next((option for option in rest if not option.probe), None)
        if policy.hedge_after_ms is None or second is None or first.probe:
            return None
        return Hedge(
            first,
            second,
            lambda option: self._asking.ask(trail, option, request, policy.queue_seconds),
            after_seconds=policy.hedge_after_ms / 1000,
        )


def _told(trail: Trail, option: Option, error: DomainError | Busy) -> DomainError:
    """As an error of the house. Calls tell the trail themselves; what never became a call is told here."""
    if isinstance(error, Busy):
        trail.not_asked(option, "busy", str(error))
        return ProviderUnavailable(f"{option.provider} is busy: {error}.", kind="overload")
    if isinstance(error, BudgetExceeded):
        trail.not_asked(option, "over_budget", error.detail)
    return error


def _most_promising(failures: Sequence[DomainError], choice: Choice) -> DomainError:
    """Of all that went wrong, what is told to whoever decides when to ask again."""
    again = [failure for failure in failures if failure.retryable]
    wait = choice.seconds
    if again:
        waits = [each.retry_after for each in again if isinstance(each, ProviderFailure) and each.retry_after]
        best, soonest = again[0], min([*waits, *([wait] if wait is not None else [])], default=None)
        if isinstance(best, ProviderUnavailable) and len(waits) == len(again):
            # Somebody may be asked at once unless every one of them named a time.
            best.retry_after = soonest
        return best
    if wait is not None:
        names = ", ".join(f"{each.provider}/{each.model}" for each in choice.passed_over if each.seconds is not None)
        return ProviderUnavailable(f"Not asked, as they failed lately: {names}.", kind="overload", retry_after=wait)
    if failures:
        return failures[-1]
    return _nobody(choice)


def _nobody(choice: Choice) -> DomainError:
    why = "; ".join(f"{each.provider}/{each.model}: {each.detail}" for each in choice.passed_over)
    return ProviderRejected(f"No model can take this request. {why or 'The policy names none.'}", kind="bad_request")
