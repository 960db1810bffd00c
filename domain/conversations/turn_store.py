"""The rows of a turn until it ends, written once each however often its steps are tried.

Every function is one transaction, or runs in the caller's, and is safe to repeat after a commit whose
answer was lost. Locks the head of the conversation's log first, so two workers take turns. The steps
that every turn takes are one statement each (db/migrations/versions/0003_turn_steps.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from contracts import events as event
from contracts.ids import fence
from contracts.turn import IncomingMessage, TurnRef
from db.engine import Connection, Database
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
    """What a reply attempt finds when it takes the floor: what was said before it, and already shown of it.

    calls: how many calls to models the step made before, in all its attempts. The agent and the API key are whose
    spending it is.
    """

    history: list[SpokenLine]
    shown: str
    calls: int = 0
    agent_id: UUID | None = None
    api_key_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """number: of the turn in its conversation, 1 and up. history: the messages before it, oldest first."""

    number: int
    history: list[SpokenLine]


async def begin(
    database: Database,
    ref: TurnRef,
    messages: Sequence[IncomingMessage],
    *,
    history_messages: int = 0,
    history_chars: int = 0,
) -> Begun:
    """Store the customer's messages and open the turn, and read the last messages before it, cut to a length.

    Called again with more messages when a burst joins the turn. Raises NotFound.
    """
    begun = await database.pool.fetchrow(
        "SELECT number, history FROM begin_turn_with_history($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        ref.org_id,
        ref.conversation_id,
        ref.turn_id,
        ref.agent_version_id,
        [m.id for m in messages],
        [m.text for m in messages],
        [m.client_key for m in messages],
        next((m.api_key_id for m in messages), None),
        history_messages,
        history_chars,
    )
    if begun is None or begun["number"] is None:
        raise NotFound("no such conversation")
    return Begun(begun["number"], [SpokenLine(line["role"], line["text"]) for line in begun["history"]])


async def take_floor(
    database: Database,
    ref: TurnRef,
    *,
    right: int,
    place: str,
    passages: Sequence[Passage] | None,
    history_messages: int,
    announce: dict[str, Any],
) -> Floor:
    """Claim the right to speak, and read what was said so far.

    place: of the step in the ledger (`CallPlace.key`). passages None: keep the evidence of the turn as it is.
    Raises Superseded when a newer attempt, a newer message or the end of the turn holds the right.
    """
    taken = await database.pool.fetchrow(
        "SELECT shown, history, calls, agent_id, api_key_id FROM take_floor($1, $2, $3, $4, $5, $6, $7, $8)",
        ref.org_id,
        ref.conversation_id,
        ref.turn_id,
        right,
        place,
        None if passages is None else [_evidence(marker, passage) for marker, passage in enumerate(passages, 1)],
        history_messages,
        announce,
    )
    if taken is None:
        raise Superseded("the right to speak in this turn has passed on")
    # Read apart: only this attempt may speak from here on, so it cannot change in between.
    text = await shown_text(database, ref) if taken["shown"] else ""
    history = [SpokenLine(line["role"], line["text"]) for line in taken["history"]]
    return Floor(history, text, taken["calls"], taken["agent_id"], taken["api_key_id"])


def _evidence(marker: int, passage: Passage) -> dict[str, Any]:
    return {
        "marker": marker,
        "collection_id": passage.collection_id,
        "document_id": passage.document_id,
        "passage_id": passage.id,
        "title": passage.title,
        "heading": passage.heading,
        "page": passage.page,
        "char_start": passage.char_start,
        "char_end": passage.char_end,
        "text": passage.text,
        "score": passage.score,
    }


async def shown_text(database: Database, ref: TurnRef) -> str:
    """What readers have seen of this turn's reply."""
    async with database.transaction(ref.org_id) as connection:
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
    return bool(silenced)


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
