"""Circuit breakers by provider and model, shared by all workers through Postgres.

While all is well nothing is written, and what others found is read at most once a second, beside the calls.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

import structlog

from db.engine import DATABASE_AWAY, Database
from domain.errors import ProviderFailure
from domain.models import health_store
from domain.models.choice import Health
from domain.models.health_store import Unwell
from domain.models.moves import MOVES

_log = structlog.stdlib.get_logger(__name__)

Key = tuple[str, str]

_PROBE_SECONDS = 30.0
"""How long one call may try a half-open one. A probe that ends says so; this is for one whose worker died."""

_ASK_AGAIN_SECONDS = 1.0
"""Until somebody else's probe has probably told."""

_LONGEST_WISH_SECONDS = 3600.0
"""Retry-After is obeyed up to this; a longer one is a fault, or a day's quota that may be raised before."""


@dataclass(frozen=True, slots=True)
class BreakerRule:
    """Opens after so many failures within the window when they are at least this share of the calls in it.

    pause_seconds doubles with each opening in a row, up to longest_seconds.
    """

    window_seconds: float = 10
    failures: int = 5
    share: float = 0.5
    pause_seconds: float = 2
    longest_seconds: float = 120


class Breakers:
    """One process's view of all breakers, at most refresh_seconds old while calls are made.

    What it says is advice: without a database, calls are made as if all were well.
    """

    def __init__(
        self,
        database: Database,
        *,
        rule: BreakerRule = BreakerRule(),
        refresh_seconds: float = 1.0,
        opened: Callable[[str, str, str], None] = lambda _provider, _model, _kind: None,
    ) -> None:
        """opened is told provider, model and kind of failure when a breaker of this process's making opens."""
        self._database = database
        self._rule = asdict(rule)
        self._refresh_seconds = refresh_seconds
        self._opened = opened
        self._unwell: dict[Key, tuple[Unwell, float]] = {}
        self._read_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None
        self._answers: Counter[Key] = Counter()

    def health(self) -> Mapping[Key, Health]:
        """Those that are not closed, by provider and model. Returns at once; reads anew beside the calls."""
        now = time.monotonic()
        if now - self._read_at > self._refresh_seconds and (self._reading is None or self._reading.done()):
            self._reading = asyncio.create_task(self.refresh(), name="provider-health")
        return {key: _health(unwell, now - read_at) for key, (unwell, read_at) in self._unwell.items()}

    async def refresh(self) -> None:
        """Read what all workers found. Keeps the old view when the database is away."""
        self._read_at = time.monotonic()
        try:
            rows = await health_store.read(self._database)
        except DATABASE_AWAY as error:
            _log.warning("provider_health_unread", because=type(error).__name__)
            return
        now = time.monotonic()
        self._unwell = {(row.provider, row.model): (row, now) for row in rows}

    async def may_probe(self, provider: str, model: str) -> bool:
        """Whether this call is the one that tries a half-open one."""
        try:
            return await health_store.claim_probe(self._database, provider, model, seconds=_PROBE_SECONDS)
        except DATABASE_AWAY:
            return True

    async def answered(self, provider: str, model: str) -> None:
        """Costs nothing while the breaker is closed."""
        key = (provider, model)
        if key not in self._unwell:
            self._answers[key] += 1
            return
        try:
            closed = await health_store.answered(self._database, provider, model)
        except DATABASE_AWAY:
            return
        if closed:
            _log.info("breaker_closed", provider=provider, model=model)
            await self.refresh()

    async def failed(self, provider: str, model: str, failure: ProviderFailure) -> None:
        """One statement, for a failure that is the provider's own; none for one of the request."""
        move = MOVES[failure.kind].breaker
        if move == "ignores":
            await self._release(provider, model)
            return
        wish = None if failure.retry_after is None else min(failure.retry_after, _LONGEST_WISH_SECONDS)
        try:
            opened = await health_store.failed(
                self._database,
                provider,
                model,
                kind=failure.kind,
                detail=failure.detail,
                others=self._answers.pop((provider, model), 0),
                at_once=move == "opens",
                retry_after=wish,
                rule=self._rule,
            )
        except DATABASE_AWAY as error:
            _log.warning("provider_failure_uncounted", provider=provider, because=type(error).__name__)
            return
        if opened:
            _log.warning("breaker_opened", provider=provider, model=model, kind=failure.kind)
            self._opened(provider, model, failure.kind)
            await self.refresh()

    async def undecided(self, provider: str, model: str) -> None:
        """A call ended without telling how the provider is: somebody stopped it."""
        await self._release(provider, model)

    async def close(self) -> None:
        """Idempotent."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])

    async def _release(self, provider: str, model: str) -> None:
        """Let the next call try, when this one may have been the probe."""
        if (provider, model) not in self._unwell:
            return
        try:
            await health_store.release_probe(self._database, provider, model)
        except DATABASE_AWAY as error:
            _log.warning("probe_unreleased", provider=provider, because=type(error).__name__)


def _health(unwell: Unwell, age: float) -> Health:
    left = unwell.open_seconds - age
    if left > 0:
        return Health("open", left, unwell.last_kind)
    if unwell.probe_seconds is not None and unwell.probe_seconds - age > 0:
        return Health("probing", min(unwell.probe_seconds - age, _ASK_AGAIN_SECONDS), unwell.last_kind)
    return Health("half_open", 0.0, unwell.last_kind)
