"""Prepare: store the message and open the turn, while it is routed and its passages are found.

Three steps in one activity: none needs a retry of its own, and a local activity costs 2 ms of
processor time whatever it does (docs/decisions/0006).
"""

import asyncio
import time
from collections.abc import Awaitable
from functools import partial
from typing import TypeVar

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.errors import domain_errors
from activities.retrieve import Retrieve
from activities.route import RouteStep
from contracts import failures
from contracts.turn import Prepared, PrepareInput, StepTiming
from db.engine import Database
from domain.agents.version_store import AgentVersions
from domain.conversations import turn_store
from domain.errors import DomainError
from domain.knowledge.rewrite import HISTORY_CHARS, HISTORY_MESSAGES, Line
from runtime.metrics import Metrics, Step

Result = TypeVar("Result")

_ATTEMPTS = 20
"""Tries of what needs no database, a little over a minute with the pauses of `options.STEP`: a broken index must
not hold a conversation for a day, as a database that is away may."""


class Prepare:
    def __init__(
        self, database: Database, versions: AgentVersions, route: RouteStep, retrieve: Retrieve, metrics: Metrics
    ) -> None:
        self._database = database
        self._versions = versions
        self._route = route
        self._retrieve = retrieve
        self._metrics = metrics

    @activity.defn(name="prepare")
    @domain_errors()
    async def prepare(self, input: PrepareInput) -> Prepared:
        """Idempotent by message and turn id. Readers see the messages as soon as they are stored."""
        ref, timings = input.ref, list[StepTiming]()
        config = await self._versions.config(ref.org_id, ref.agent_version_id)
        begun = asyncio.ensure_future(self._timed("begin", self._begin(input), timings))
        key = next((message.api_key_id for message in input.messages), None)
        retrieve = self._retrieve.retrieve(ref, config, input.text, partial(_said_before, begun), api_key_id=key)
        opened, (route, checked), retrieval = await asyncio.gather(
            begun,
            self._timed("route", _not_for_ever(self._route.route(ref, config, input.text)), timings),
            self._timed("retrieve", _not_for_ever(retrieve), timings),
        )
        return Prepared(number=opened.number, route=route, checked=checked, retrieval=retrieval, timings=timings)

    async def _begin(self, input: PrepareInput) -> turn_store.Begun:
        return await turn_store.begin(
            self._database,
            input.ref,
            input.messages,
            history_messages=HISTORY_MESSAGES,
            history_chars=HISTORY_CHARS,
        )

    async def _timed(self, step: Step, work: Awaitable[Result], timings: list[StepTiming]) -> Result:
        started = time.perf_counter()
        result = await work
        seconds = time.perf_counter() - started
        self._metrics.step(step, seconds)
        timings.append(StepTiming(step=step, milliseconds=seconds * 1000))
        return result


async def _said_before(begun: "asyncio.Future[turn_store.Begun]") -> list[Line]:
    """Nothing when the turn could not be opened: that failure is told by who opens it."""
    await asyncio.wait([begun])
    if begun.cancelled() or begun.exception() is not None:
        return []
    return [Line("user" if line.role == "user" else "assistant", line.text) for line in begun.result().history]


async def _not_for_ever(step: Awaitable[Result]) -> Result:
    try:
        return await step
    except DomainError:
        raise
    except Exception as error:
        if activity.info().attempt < _ATTEMPTS:
            raise
        raise ApplicationError(str(error), type=failures.INTERNAL, non_retryable=True) from error
