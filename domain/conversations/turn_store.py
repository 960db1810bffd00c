"""The rows of a turn until it ends, written once each however often its steps are tried.

Every function runs in the caller's transaction and is safe to repeat after a commit whose answer
was lost. Locks the head of the conversation's log first, so two workers take turns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from contracts import events as event
from contracts.ids import fence
from contracts.turn import BeginInput, IncomingMessage, TurnRef
from db.engine import Connection
from domain.conversations.log import NewEvent, append
from domain.errors import NotFound, Superseded
from domain.knowledge.passage import Passage

_STEP_ATTEMPTS_MAX = 4095


@dataclass(frozen=True, slots=True)
class SpokenLine:
    """One earlier message of the conversation."""

    role: str
    text: str


@dataclass(frozen=True, slots=True)
class Floor:
    """What a reply attempt finds when it takes the floor: what was said before it, and already shown of it."""

    history: list[SpokenLine]
    shown: str


async def begin(connection: Connection, input: BeginInput) -> int:
    """Store the customer's messages and the turn; returns the turn's number in the conversation.

    Called again with more messages when a burst joins the turn. Raises NotFound.
    """
    ref = input.ref
    # One round trip. Two workers that both think they run the conversation may count alike; then the
    # unique number refuses the later one, and its next attempt counts anew.
    opened = await connection.fetchrow(
        """WITH head AS (
               UPDATE event_streams SET turn_id = $2,
                   spoken = spoken AND turn_id IS NOT DISTINCT FROM $2,
                   shown = CASE WHEN turn_id IS NOT DISTINCT FROM $2 THEN shown ELSE 0 END
               WHERE conversation_id = $1 RETURNING conversation_id
           ), opened AS (
               INSERT INTO turns (id, org_id, conversation_id, agent_version_id, number, state)
               SELECT $2, $3, $1, $4,
                   (SELECT coalesce(max(number), 0) + 1 FROM turns WHERE conversation_id = $1), 'running'
               FROM head
               ON CONFLICT (id) DO NOTHING RETURNING number
           )
           SELECT (SELECT number FROM opened) AS new, (SELECT number FROM turns WHERE id = $2) AS known FROM head""",
        ref.conversation_id,
        ref.turn_id,
        ref.org_id,
        ref.agent_version_id,
    )
    if opened is None:
        raise NotFound("no such conversation")
    number = opened["new"] or opened["known"]
    started = []
    if opened["new"]:
        started = [NewEvent(ref.org_id, ref.conversation_id, ref.turn_id, event.TURN_STARTED, {"number": number})]
    stored = await _store_messages(connection, ref, input.messages)
    await append(connection, [*_created(ref, stored), *started])
    return int(number)


async def _store_messages(
    connection: Connection, ref: TurnRef, messages: Sequence[IncomingMessage]
) -> list[IncomingMessage]:
    rows = await connection.fetch(
        """INSERT INTO messages (id, org_id, conversation_id, turn_id, position, role, text, client_key)
           SELECT m.id, $2, $1, $3, last.position + m.ord, 'user', m.text, m.client_key
           FROM unnest($4::uuid[], $5::text[], $6::text[]) WITH ORDINALITY AS m(id, text, client_key, ord),
                (SELECT coalesce(max(position), 0) AS position FROM messages WHERE conversation_id = $1) AS last
           ON CONFLICT DO NOTHING RETURNING id""",
        ref.conversation_id,
        ref.org_id,
        ref.turn_id,
        [m.id for m in messages],
        [m.text for m in messages],
        [m.client_key for m in messages],
    )
    new = {row["id"] for row in rows}
    return [message for message in messages if message.id in new]


def _created(ref: TurnRef, messages: Sequence[IncomingMessage]) -> list[NewEvent]:
    return [
        NewEvent(
            ref.org_id,
            ref.conversation_id,
            ref.turn_id,
            event.MESSAGE_CREATED,
            {"message_id": str(m.id), "role": "user", "text": m.text, "citations": []},
        )
        for m in messages
    ]


async def take_floor(
    connection: Connection,
    ref: TurnRef,
    *,
    right: int,
    step: int,
    provider: str,
    model: str,
    passages: Sequence[Passage] | None,
    history_messages: int,
    announce: dict[str, Any],
) -> Floor:
    """Claim the right to speak, reserve the model call in the ledger, and read what was said so far.

    passages None: keep the evidence of the turn as it is. Raises Superseded when a newer attempt,
    a newer message or the end of the turn holds the right.
    """
    shown = await connection.fetchval(
        """WITH floor AS (
               UPDATE event_streams SET fence = $3 WHERE conversation_id = $1 AND turn_id = $2 AND fence < $3
               RETURNING shown
           ), reserved AS (
               INSERT INTO model_calls (turn_id, org_id, step, state, provider, model)
               SELECT $2, $4, $5, 'reserved', $6, $7 FROM floor
               ON CONFLICT (turn_id, step) DO UPDATE
                   SET attempts = model_calls.attempts + 1, provider = $6, model = $7
           )
           SELECT shown FROM floor""",
        ref.conversation_id,
        ref.turn_id,
        right,
        ref.org_id,
        step,
        provider,
        model,
    )
    if shown is None:
        raise Superseded("the right to speak in this turn has passed on")
    if passages is not None:
        await _store_evidence(connection, ref, passages)
    history = await connection.fetch(
        """SELECT role, text FROM (
               SELECT role, text, position FROM messages
               WHERE conversation_id = $1 AND turn_id IS DISTINCT FROM $2 ORDER BY position DESC LIMIT $3
           ) AS latest ORDER BY position""",
        ref.conversation_id,
        ref.turn_id,
        history_messages,
    )
    text = await shown_text(connection, ref) if shown else ""
    await append(connection, [NewEvent(ref.org_id, ref.conversation_id, ref.turn_id, event.REPLY_STARTED, announce)])
    return Floor([SpokenLine(row["role"], row["text"]) for row in history], text)


async def _store_evidence(connection: Connection, ref: TurnRef, passages: Sequence[Passage]) -> None:
    await connection.execute("DELETE FROM turn_passages WHERE turn_id = $1", ref.turn_id)
    if not passages:
        return
    await connection.executemany(
        """INSERT INTO turn_passages (turn_id, org_id, marker, collection_id, document_id, passage_id,
               title, heading, page, char_start, char_end, text, score)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)""",
        [
            (
                ref.turn_id,
                ref.org_id,
                marker,
                p.collection_id,
                p.document_id,
                p.id,
                p.title,
                p.heading,
                p.page,
                p.char_start,
                p.char_end,
                p.text,
                p.score,
            )
            for marker, p in enumerate(passages, 1)
        ],
    )


async def shown_text(connection: Connection, ref: TurnRef) -> str:
    """What readers have seen of this turn's reply."""
    rows = await connection.fetch(
        """SELECT type, data FROM events
           WHERE conversation_id = $1 AND turn_id = $2 AND type IN ('reply.delta', 'reply.rewind') ORDER BY seq""",
        ref.conversation_id,
        ref.turn_id,
    )
    text = ""
    for row in rows:
        data = row["data"]
        text = text[: data["at"]] + data["text"] if row["type"] == event.REPLY_DELTA else text[: data["to"]]
    return text


async def interrupt(connection: Connection, ref: TurnRef, number: int, step: int) -> bool:
    """Silence the reply in flight for good, unless it has already said something. True when silenced."""
    right = fence(number, step, _STEP_ATTEMPTS_MAX)
    silenced = await connection.fetchval(
        """UPDATE event_streams SET fence = $3
           WHERE conversation_id = $1 AND turn_id = $2 AND NOT spoken AND fence <= $3 RETURNING true""",
        ref.conversation_id,
        ref.turn_id,
        right,
    )
    if not silenced:
        return False
    await connection.execute(
        "UPDATE model_calls SET state = 'superseded', settled_at = clock_timestamp() WHERE turn_id = $1 AND step = $2",
        ref.turn_id,
        step,
    )
    return True


async def log_once(connection: Connection, ref: TurnRef, type: str, data: dict[str, Any], *, call_key: str) -> None:
    """Append an event about a tool call, unless an earlier attempt already did."""
    known = await connection.fetchval(
        """SELECT true FROM events WHERE conversation_id = $1 AND turn_id = $2 AND type = $3
           AND data->>'call_key' = $4 LIMIT 1""",
        ref.conversation_id,
        ref.turn_id,
        type,
        call_key,
    )
    if not known:
        await append(connection, [NewEvent(ref.org_id, ref.conversation_id, ref.turn_id, type, data)])


async def close(connection: Connection, org_id: UUID, conversation_id: UUID, reason: str) -> None:
    """No message is accepted any more. Idempotent."""
    closed = await connection.fetchval(
        """UPDATE conversations SET state = 'closed', closed_at = clock_timestamp()
           WHERE id = $1 AND state = 'open' RETURNING true""",
        conversation_id,
    )
    if closed:
        await append(
            connection,
            [NewEvent(org_id, conversation_id, None, event.CONVERSATION_CLOSED, {"reason": reason})],
        )
