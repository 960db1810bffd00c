"""One call to one provider: a place in its queue, room in the budget, the stream, and what it cost, written down.

Not for whom to ask next when it fails: see `fallback.py`.
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager, aclosing
from dataclasses import dataclass, replace
from typing import Protocol

from contracts.turn import Usage
from db.engine import DATABASE_AWAY
from domain.errors import ProviderFailure
from domain.llm.fit import fit
from domain.llm.model import Finished, ModelRequest, Piece
from domain.llm.providers import Providers
from domain.llm.tokens import at_most
from domain.llm.window import window
from domain.models.breaker import Breakers
from domain.models.call import CallOutcome, ModelCall, Settled
from domain.models.choice import Option
from domain.models.facts import BYTES_PER_TOKEN, size
from domain.models.ledger import Ledger
from domain.models.limits import Limits
from domain.models.prices import Price
from domain.models.trail import Trail

_SETTLE_PAUSES = (0.05, 0.2, 0.5, 1.0, 2.0)
"""Seconds between tries to write down what a call cost: an answer is not lost to a restart of Postgres."""


class CallSpan(Protocol):
    """What a call says about itself once it has finished. Never its texts."""

    def answered(self, *, model: str, usage: Usage, finish: str, first_token_seconds: float | None = None) -> None: ...


class CallWatch(Protocol):
    """Follows each call, for traces."""

    def model_call(
        self, provider: str, model: str, *, temperature: float | None = None, max_output_tokens: int | None = None
    ) -> AbstractContextManager[CallSpan]: ...


@dataclass(slots=True)
class _Heard:
    """What came of a call so far. started and first are moments of `time.monotonic`."""

    started: float
    said: str = ""
    first: float | None = None
    finished: bool = False

    def hear(self, text: str) -> None:
        if self.first is None:
            self.first = time.monotonic()
        self.said += text

    @property
    def first_seconds(self) -> float | None:
        return None if self.first is None else self.first - self.started


class Asking:
    def __init__(
        self, providers: Providers, limits: Limits, breakers: Breakers, ledger: Ledger, watch: CallWatch
    ) -> None:
        self._providers = providers
        self._limits = limits
        self._breakers = breakers
        self._ledger = ledger
        self._watch = watch

    async def ask(
        self, trail: Trail, option: Option, request: ModelRequest, queue_seconds: float
    ) -> AsyncGenerator[Piece, None]:
        """Pieces of one reply, ending with Finished.

        Raises Busy or BudgetExceeded when nothing was asked, else ProviderFailure. Closed early, the call is settled
        as superseded, by our own count. Once the iterator is at its end, the ledger has it.
        """
        request = _for(option, request)
        async with self._limits.place(option.provider, queue_seconds):
            call = trail.next_call(option)
            price = await self._reserve(call, request)
            heard = _Heard(time.monotonic())
            settling: asyncio.Future[None] | None = None
            try:
                async with aclosing(self._listen(option, request, heard)) as pieces:
                    async for piece in pieces:
                        if isinstance(piece, Finished):
                            trail.answer, trail.cost_micros = call, price.cost_micros(piece.usage)
                            # The reader says its last words while the ledger writes.
                            settled = self._settle(trail, call, price, heard, "answered", piece.usage)
                            settling = asyncio.ensure_future(settled)
                        yield piece
            except ProviderFailure as failure:
                await self._failed(trail, option, call, price, heard, request, failure)
                raise
            except BaseException:  # closed or cancelled: the reader left, or the worker stops
                if settling is None:
                    spent = _estimate(request, heard)
                    settling = asyncio.ensure_future(
                        self._settle(trail, call, price, heard, "superseded", spent, estimated=True)
                    )
                    await self._breakers.undecided(option.provider, option.model)
                raise
            finally:
                if settling is not None:
                    await asyncio.shield(settling)
            await self._breakers.answered(option.provider, option.model)

    async def _listen(self, option: Option, request: ModelRequest, heard: _Heard) -> AsyncGenerator[Piece, None]:
        with self._watch.model_call(
            option.provider,
            option.model,
            temperature=request.temperature,
            max_output_tokens=request.max_output_tokens,
        ) as span:
            async for piece in self._providers.get(option.provider).stream(request):
                if isinstance(piece, Finished):
                    heard.finished = True
                    span.answered(
                        model=option.model,
                        usage=piece.usage,
                        finish=piece.finish,
                        first_token_seconds=heard.first_seconds,
                    )
                else:
                    heard.hear(piece.text)
                yield piece
        assert heard.finished, "every provider ends its stream with Finished"

    async def _reserve(self, call: ModelCall, request: ModelRequest) -> Price:
        price = await self._ledger.prices.price(call.place.org_id, call.provider, call.model)
        most = Usage(input_tokens=size(request), output_tokens=request.max_output_tokens)
        worst = price.worst_case_micros(most.input_tokens, most.output_tokens)
        await self._ledger.reserve(call, worst, worst_usage=most)
        return price

    async def _failed(
        self,
        trail: Trail,
        option: Option,
        call: ModelCall,
        price: Price,
        heard: _Heard,
        request: ModelRequest,
        failure: ProviderFailure,
    ) -> None:
        # Who refuses or is not there charges nothing; who falls silent or breaks off may charge what it had done.
        charged = failure.usage is None and (heard.first is not None or failure.kind in {"timeout", "garbage"})
        spent = failure.usage or (_estimate(request, heard) if charged else Usage())
        await self._settle(trail, call, price, heard, failure.kind, spent, estimated=charged, detail=failure.detail)
        if not option.facts.local:
            await self._breakers.failed(option.provider, option.model, failure)

    async def _settle(
        self,
        trail: Trail,
        call: ModelCall,
        price: Price,
        heard: _Heard,
        outcome: CallOutcome,
        usage: Usage,
        *,
        estimated: bool = False,
        detail: str | None = None,
    ) -> None:
        took = (time.monotonic() - heard.started) * 1000
        trail.asked(call, outcome, took, detail)
        first = heard.first_seconds
        settled = Settled(
            outcome, usage, price.cost_micros(usage), took, None if first is None else first * 1000, estimated, detail
        )
        for pause in _SETTLE_PAUSES:
            try:
                await self._ledger.settle(call, settled)
            except DATABASE_AWAY:
                await asyncio.sleep(pause)
            else:
                return
        await self._ledger.settle(call, settled)


def _for(option: Option, request: ModelRequest) -> ModelRequest:
    """The request as this candidate gets it: in its window, with its own reasoning."""
    candidate, facts = option.candidate, option.facts
    own = replace(request, model=option.model, reasoning=candidate.reasoning or request.reasoning)
    return fit(own, window(facts.kind, option.model, facts.context_tokens)).request


def _estimate(request: ModelRequest, heard: _Heard) -> Usage:
    return Usage(input_tokens=size(request), output_tokens=at_most(heard.said) // BYTES_PER_TOKEN)
