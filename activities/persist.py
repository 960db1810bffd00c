"""Persist: the guard looks at the whole text, then one transaction stores all that the turn leaves behind."""

import time
from dataclasses import replace

from temporalio import activity

from activities.errors import domain_errors
from contracts.turn import FailInput, Persisted, PersistInput, Verdict
from db.engine import Database
from domain.agents.version_store import AgentVersions
from domain.conversations import ending_store, evidence_store, turn_store
from domain.conversations.explanations import explanation
from domain.conversations.outage import handover
from domain.guard.guard import check_incoming, check_outgoing
from domain.knowledge.embedder import Embedder
from domain.knowledge.gap import Gap, places, reasons
from runtime.metrics import Metrics, TurnOutcome

_QUESTION_CHARS = 2000
"""Of a question that is kept as a gap; a search takes no longer one."""


class Persist:
    def __init__(self, database: Database, versions: AgentVersions, embedder: Embedder, metrics: Metrics) -> None:
        self._database = database
        self._embedder = embedder
        self._versions = versions
        self._metrics = metrics

    @activity.defn(name="persist")
    @domain_errors()
    async def persist(self, input: PersistInput) -> Persisted:
        """Exactly once by turn id: a repetition returns what the first one wrote."""
        blocked = input.checked.action == "block"
        guarded = Verdict() if blocked else await self._guard(input)
        ending = ending_store.answered(input, guarded)
        gap = None if blocked else await self._gap(input)
        if gap is not None:
            ending = replace(ending, gap=gap, gap_vector=await self._embedder.query(gap.question))
        ended = await ending_store.end(self._database, input.ref, ending)
        self._count("blocked" if blocked else "completed", ended)
        if ended.seconds is not None:
            self._metrics.parked("answered", input.parked)
            self._metrics.quoted_injections(ending_store.quoted(input.calls))
        return Persisted(message_id=ended.message_id, last_seq=ended.last_seq)

    @activity.defn(name="fail")
    @domain_errors()
    async def fail(self, input: FailInput) -> Persisted:
        """End a turn that was not answered, or that a person must answer; exactly once, as `persist`.

        Opens it if nobody could.
        """
        begun = await turn_store.begin(self._database, input.ref, input.messages)
        ending = ending_store.explained(input, begun.number, await self._explanation(input))
        ended = await ending_store.end(self._database, input.ref, ending)
        self._count("handed_over" if input.handed_over else "failed", ended)
        if ended.seconds is not None:
            self._metrics.parked("handed_over" if input.handed_over else "failed", input.parked)
        return Persisted(message_id=ended.message_id, last_seq=ended.last_seq)

    async def _explanation(self, input: FailInput) -> str:
        if not input.handed_over:
            return explanation(input.code)
        config = await self._versions.config(input.ref.org_id, input.ref.agent_version_id)
        return handover(config.outage, input.language)

    async def _guard(self, input: PersistInput) -> Verdict:
        """The text was checked while it streamed; whole, it may show what no piece did.

        What the evidence or the customer brought is not a leak.
        """
        started = time.perf_counter()
        config = await self._versions.config(input.ref.org_id, input.ref.agent_version_id)
        verdict = check_outgoing(input.text, config.guardrails, [])
        if verdict.action != "allow":
            async with self._database.transaction(input.ref.org_id) as connection:
                grounded = await evidence_store.grounded_texts(connection, input.ref.turn_id)
            verdict = check_outgoing(input.text, config.guardrails, [*grounded, input.question])
        self._metrics.step("guard", time.perf_counter() - started)
        return verdict

    async def _gap(self, input: PersistInput) -> Gap | None:
        """What the agent's collections could not answer; most turns cost no more than a look at their words."""
        config = await self._versions.config(input.ref.org_id, input.ref.agent_version_id)
        if not config.collections:
            return None
        question = input.rewrite.query if input.rewrite is not None else input.question
        why = reasons(question, input.text, input.best, input.answerable, tools=bool(input.tool_results))
        if not why:
            return None
        shown = check_incoming(question, config.guardrails).text or question
        return Gap(places(input.best, config.collections), why, shown[:_QUESTION_CHARS])

    def _count(self, outcome: TurnOutcome, ended: ending_store.Ended) -> None:
        if ended.seconds is not None:
            self._metrics.turn_ended(outcome, ended.seconds)
