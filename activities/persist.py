"""Persist: message, citations, turn record, settled usage and events, in one transaction."""

from temporalio import activity

from activities.errors import domain_errors
from contracts.turn import FailInput, Persisted, PersistInput
from db.engine import Database
from domain.conversations import ending_store
from domain.conversations.explanations import explanation
from runtime.metrics import Metrics, TurnOutcome


class Persist:
    def __init__(self, database: Database, metrics: Metrics) -> None:
        self._database = database
        self._metrics = metrics

    @activity.defn(name="persist")
    @domain_errors()
    async def persist(self, input: PersistInput) -> Persisted:
        """Exactly once by turn id: a repetition returns what the first one wrote."""
        ended = await ending_store.end(self._database, input.ref, ending_store.answered(input))
        self._count("blocked" if input.checked.action == "block" else "completed", ended)
        return Persisted(message_id=ended.message_id, last_seq=ended.last_seq)

    @activity.defn(name="fail")
    @domain_errors()
    async def fail(self, input: FailInput) -> Persisted:
        """End a turn that could not be answered; exactly once, as `persist`."""
        ending = ending_store.explained(input, explanation(input.code))
        ended = await ending_store.end(self._database, input.ref, ending)
        self._count("failed", ended)
        return Persisted(message_id=ended.message_id, last_seq=ended.last_seq)

    def _count(self, outcome: TurnOutcome, ended: ending_store.Ended) -> None:
        if ended.seconds is not None:
            self._metrics.turn_ended(outcome, ended.seconds)
