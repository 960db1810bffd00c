"""How a turn ends: message, citations, record and events, in one transaction, once.

Not for what happens before: see `turn_store.py`. Not for what it cost: every call was settled when it ended.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from contracts import events as event
from contracts.ids import closing_fence
from contracts.turn import FailInput, PersistInput, QuotedVerdict, Reply, Rewrite, TurnRef, Verdict
from db.engine import Database
from domain.conversations.citations import markers
from domain.conversations.turn_store import shown_text
from domain.errors import NotFound
from domain.knowledge.embedder import Vector
from domain.knowledge.gap import Gap
from domain.knowledge.gap_store import packed

_ENDED = "SELECT agreed, last_seq, seconds FROM"
_END = f"{_ENDED} end_turn({', '.join(f'${n}' for n in range(1, 13))})"
_END_WITH_GAP = f"{_ENDED} end_turn_with_gap({', '.join(f'${n}' for n in range(1, 17))})"

_CLOSING = {
    "completed": event.TURN_COMPLETED,
    "failed": event.TURN_FAILED,
    "handed_over": event.TURN_HANDED_OVER,
}


@dataclass(frozen=True, slots=True)
class Ending:
    """What closes a turn: the whole visible text, and whether it is an answer or an explanation.

    outcome becomes columns of the turn's row, closing the data of its last event. gap: what the turn could not
    answer, with the vector of its question.
    """

    number: int
    text: str
    outcome: dict[str, Any]
    closing: dict[str, Any]
    gap: Gap | None = None
    gap_vector: Vector | None = None

    @property
    def failed(self) -> bool:
        return "error_code" in self.outcome


def answered(input: PersistInput, guarded: Verdict) -> Ending:
    """The ending of a turn that has an answer, which the guard may have changed."""
    calls = input.calls
    text = input.text if guarded.text is None else guarded.text
    timings = {t.step: round(t.milliseconds, 2) for t in input.timings}
    record: dict[str, Any] = {
        "route": input.route.model_dump(mode="json"),
        "checked": input.checked.model_dump(mode="json", exclude={"text"}),
        "guarded": guarded.model_dump(mode="json", exclude={"text"}),
        "timings_ms": timings,
    }
    if told := quoted(calls):
        record["quoted"] = [each.model_dump(mode="json", exclude_none=True) for each in told]
    if tried := routed(calls):
        record["models"] = tried
    if calls and calls[-1].left_out is not None:
        record["left_out"] = calls[-1].left_out.model_dump(mode="json", exclude_defaults=True)
    if input.rewrite is not None:
        record["rewrite"] = input.rewrite.model_dump(mode="json", exclude_none=True)
    if input.parked is not None:
        record["parked"] = input.parked.model_dump(mode="json")
    paid: list[Reply | Rewrite] = [*calls, *([input.rewrite] if input.rewrite else [])]
    closing = {
        "usage": {
            "input_tokens": sum(c.usage.input_tokens for c in paid),
            "output_tokens": sum(c.usage.output_tokens for c in paid),
            "cached_tokens": sum(c.usage.cached_tokens for c in paid),
        },
        "cost_micros": sum(c.cost_micros for c in paid),
        "provider": calls[-1].provider if calls else None,
        "model": calls[-1].model if calls else None,
        "finish": calls[-1].finish if calls else "refused",
        "timings_ms": timings,
    }
    outcome = {"state": "completed", "language": input.route.language, "intent": input.route.intent, "record": record}
    return Ending(input.number, text, outcome, closing)


def quoted(calls: Sequence[Reply]) -> list[QuotedVerdict]:
    """What tried to give orders in this turn, each text once: every call of a turn reads the same passages."""
    return list({(each.source, each.id): each for call in calls for each in call.quoted}.values())


def routed(calls: Sequence[Reply]) -> list[dict[str, Any]]:
    """Why each call of the turn went where it went: the candidates tried and passed over, in order."""
    return [
        {
            "step": call.step,
            "because": call.because,
            "tried": [each.model_dump(mode="json", exclude_none=True) for each in call.tried],
        }
        for call in calls
        if call.tried
    ]


def explained(input: FailInput, number: int, text: str) -> Ending:
    """The ending of a turn that could not be answered: `text` is what the customer reads."""
    state = "handed_over" if input.handed_over else "failed"
    record = {"parked": input.parked.model_dump(mode="json")} if input.parked is not None else {}
    outcome = {"state": state, "record": record, "error_code": input.code, "error_detail": input.detail}
    return Ending(number, text, outcome, {"code": input.code, "detail": input.detail})


@dataclass(frozen=True, slots=True)
class Ended:
    """seconds: how long the turn took from its first commit; None when it had ended before."""

    message_id: UUID
    last_seq: int
    seconds: float | None


async def end(database: Database, ref: TurnRef, ending: Ending) -> Ended:
    """Everything a turn leaves behind, in one transaction.

    Exactly once: a second call finds the turn ended and returns what the first one wrote.
    The log then says exactly what the message says, whatever had been shown before.
    """
    # An explanation goes after whatever was shown, which its first try makes certain by closing the floor.
    ended = await _end(database, ref, ending, ending.text, seen=None if ending.failed else ending.text)
    if ended is None:
        seen = await shown_text(database, ref)
        text = f"{seen}\n\n{ending.text}" if ending.failed and seen else ending.text
        ended = await _end(database, ref, ending, text, seen=seen)
    assert ended is not None, "nobody can speak after the floor was closed"
    return ended


async def _end(database: Database, ref: TurnRef, ending: Ending, text: str, *, seen: str | None) -> Ended | None:
    """None when readers have seen something else; they see no more of this turn then. Raises NotFound."""
    message_id = uuid5(ref.turn_id, "reply")
    gap = _gap(ending)
    ended = await database.pool.fetchrow(
        _END_WITH_GAP if gap else _END,
        ref.org_id,
        ref.conversation_id,
        ref.turn_id,
        closing_fence(ending.number),
        -1 if seen is None else len(seen),
        ending.outcome,
        message_id,
        text,
        markers(text),
        _corrections(seen or "", text),
        _CLOSING[ending.outcome["state"]],
        {"message_id": str(message_id), "number": ending.number, **ending.closing},
        *gap,
    )
    if ended is None:
        raise NotFound("no such conversation")
    return Ended(message_id, ended["last_seq"], ended["seconds"]) if ended["agreed"] else None


def _gap(ending: Ending) -> tuple[Any, ...]:
    if ending.gap is None or ending.gap_vector is None:
        return ()
    gap = ending.gap
    return (gap.collections, list(gap.reasons), gap.question, packed(ending.gap_vector))


def _corrections(seen: str, text: str) -> list[dict[str, Any]]:
    """Events that turn what was shown into what is right, taking back no more than needed."""
    if seen == text:
        return []
    same = next((i for i, (a, b) in enumerate(zip(seen, text, strict=False)) if a != b), min(len(seen), len(text)))
    events: list[dict[str, Any]] = []
    if same < len(seen):
        events.append({"type": event.REPLY_REWIND, "data": {"to": same, "reason": "guard"}})
    if same < len(text):
        events.append({"type": event.REPLY_DELTA, "data": {"text": text[same:], "at": same}})
    return events
