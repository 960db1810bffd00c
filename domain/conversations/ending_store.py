"""How a turn ends: message, citations, settled usage, record and events, in one transaction, once.

Not for what happens before: see `turn_store.py`. Runs in the caller's transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid5

from contracts import events as event
from contracts.ids import closing_fence
from contracts.turn import FailInput, PersistInput, Reply, TurnRef
from db.engine import Connection
from domain.conversations.citations import cited, markers
from domain.conversations.log import NewEvent, append
from domain.conversations.turn_store import shown_text
from domain.errors import NotFound


@dataclass(frozen=True, slots=True)
class Ending:
    """What closes a turn: the whole visible text, and whether it is an answer or an explanation."""

    number: int
    text: str
    calls: Sequence[Reply]
    record: dict[str, Any]
    language: str | None = None
    intent: str | None = None
    code: str | None = None
    detail: str | None = None

    @property
    def failed(self) -> bool:
        return self.code is not None


def answered(input: PersistInput) -> Ending:
    """The ending of a turn that has an answer."""
    record = {
        "route": input.route.model_dump(mode="json"),
        "checked": input.checked.model_dump(mode="json", exclude={"text"}),
        "guarded": input.guarded.model_dump(mode="json", exclude={"text"}),
        "timings_ms": {t.step: round(t.milliseconds, 2) for t in input.timings},
    }
    return Ending(input.number, input.text, input.calls, record, input.route.language, input.route.intent)


def explained(input: FailInput, text: str) -> Ending:
    """The ending of a turn that could not be answered: `text` is what the customer reads."""
    return Ending(input.number, text, [], {}, code=input.code, detail=input.detail)


@dataclass(frozen=True, slots=True)
class Ended:
    """seconds: how long the turn took from its first commit; None when it had ended before."""

    message_id: UUID
    last_seq: int
    seconds: float | None


async def end(connection: Connection, ref: TurnRef, ending: Ending) -> Ended:
    """Everything a turn leaves behind, in one transaction.

    Exactly once: a second call finds the turn ended and returns what the first one wrote.
    The log then says exactly what the message says, whatever had been shown before.
    """
    message_id = uuid5(ref.turn_id, "reply")
    closed = await connection.fetchrow(
        """WITH head AS (
               UPDATE event_streams SET fence = $2 WHERE conversation_id = $1 RETURNING shown, last_seq
           ), ended AS (
               UPDATE turns SET state = $4, language = $5, intent = $6, record = $7, error_code = $8,
                   error_detail = $9, finished_at = clock_timestamp()
               FROM head WHERE id = $3 AND state = 'running'
               RETURNING extract(epoch FROM finished_at - started_at)::float8 AS seconds
           )
           SELECT head.shown, head.last_seq, ended.seconds FROM head LEFT JOIN ended ON true""",
        ref.conversation_id,
        closing_fence(ending.number),
        ref.turn_id,
        "failed" if ending.failed else "completed",
        ending.language,
        ending.intent,
        ending.record,
        ending.code,
        ending.detail,
    )
    if closed is None:
        raise NotFound("no such conversation")
    if closed["seconds"] is None:
        return Ended(message_id, closed["last_seq"], None)
    await _settle(connection, ref, ending.calls)
    text = ending.text
    corrections: list[NewEvent] = []
    if ending.failed or closed["shown"] != len(text):
        seen = await shown_text(connection, ref)
        if ending.failed and seen:
            text = f"{seen}\n\n{text}"
        corrections = _correct(ref, seen, text)
    citations = await _store_reply(connection, ref, message_id, text)
    numbers = await append(
        connection,
        [*corrections, *_closing_events(ref, ending, message_id, text, citations)],
    )
    return Ended(message_id, max(numbers), closed["seconds"])


async def _settle(connection: Connection, ref: TurnRef, calls: Sequence[Reply]) -> None:
    """Settle what was answered; what was reserved and never answered is marked so, and costs nothing."""
    await connection.execute(
        """UPDATE model_calls AS c SET
               state = CASE WHEN s.step IS NULL THEN 'abandoned' ELSE 'settled' END,
               provider = coalesce(s.provider, c.provider), model = coalesce(s.model, c.model),
               input_tokens = coalesce(s.input, 0), output_tokens = coalesce(s.output, 0),
               cached_tokens = coalesce(s.cached, 0), cost_micros = coalesce(s.cost, 0),
               first_token_ms = s.first, settled_at = clock_timestamp()
           FROM model_calls AS r
           LEFT JOIN unnest($2::int[], $3::text[], $4::text[], $5::int[], $6::int[], $7::int[], $8::bigint[],
               $9::float8[]) AS s(step, provider, model, input, output, cached, cost, first) ON s.step = r.step
           WHERE r.turn_id = $1 AND r.state = 'reserved' AND c.turn_id = r.turn_id AND c.step = r.step""",
        ref.turn_id,
        [call.step for call in calls],
        [call.provider for call in calls],
        [call.model for call in calls],
        [call.usage.input_tokens for call in calls],
        [call.usage.output_tokens for call in calls],
        [call.usage.cached_tokens for call in calls],
        [call.cost_micros for call in calls],
        [call.first_token_ms for call in calls],
    )


def _correct(ref: TurnRef, seen: str, text: str) -> list[NewEvent]:
    """Events that turn what was shown into what is right, taking back no more than needed."""
    same = next((i for i, (a, b) in enumerate(zip(seen, text, strict=False)) if a != b), min(len(seen), len(text)))
    events = []
    if same < len(seen):
        data: dict[str, Any] = {"to": same, "reason": "guard"}
        events.append(NewEvent(ref.org_id, ref.conversation_id, ref.turn_id, event.REPLY_REWIND, data))
    if same < len(text):
        data = {"text": text[same:], "at": same}
        events.append(NewEvent(ref.org_id, ref.conversation_id, ref.turn_id, event.REPLY_DELTA, data))
    return events


async def _store_reply(connection: Connection, ref: TurnRef, message_id: UUID, text: str) -> list[dict[str, Any]]:
    named = markers(text)
    evidence = (
        []
        if not named
        else await connection.fetch(
            """SELECT marker, passage_id, collection_id, document_id, title, heading, page, char_start, char_end, text
           FROM turn_passages WHERE turn_id = $1 AND marker = ANY ($2) ORDER BY marker""",
            ref.turn_id,
            named,
        )
    )
    citations = cited(text, [dict(passage) for passage in evidence]) if evidence else []
    await connection.execute(
        """INSERT INTO messages (id, org_id, conversation_id, turn_id, position, role, text, citations)
           SELECT $1, $2, $3, $4, coalesce(max(position), 0) + 1, 'assistant', $5, $6
           FROM messages WHERE conversation_id = $3""",
        message_id,
        ref.org_id,
        ref.conversation_id,
        ref.turn_id,
        text,
        citations,
    )
    return citations


def _closing_events(
    ref: TurnRef, ending: Ending, message_id: UUID, text: str, citations: list[dict[str, Any]]
) -> list[NewEvent]:
    created = {"message_id": str(message_id), "role": "assistant", "text": text, "citations": citations}
    closing: dict[str, Any] = {"message_id": str(message_id), "number": ending.number}
    if ending.failed:
        kind = event.TURN_FAILED
        closing |= {"code": ending.code, "detail": ending.detail}
    else:
        kind = event.TURN_COMPLETED
        closing |= {
            "usage": {
                "input_tokens": sum(c.usage.input_tokens for c in ending.calls),
                "output_tokens": sum(c.usage.output_tokens for c in ending.calls),
                "cached_tokens": sum(c.usage.cached_tokens for c in ending.calls),
            },
            "cost_micros": sum(c.cost_micros for c in ending.calls),
            "provider": ending.calls[-1].provider if ending.calls else None,
            "model": ending.calls[-1].model if ending.calls else None,
            "finish": ending.calls[-1].finish if ending.calls else "refused",
            "timings_ms": ending.record.get("timings_ms", {}),
        }
    return [
        NewEvent(ref.org_id, ref.conversation_id, ref.turn_id, event.MESSAGE_CREATED, created),
        NewEvent(ref.org_id, ref.conversation_id, ref.turn_id, kind, closing),
    ]
