"""Rows of summaries: what was said before the messages that a model still reads. `domain/llm` writes them."""

from dataclasses import dataclass
from uuid import UUID

from contracts.turn import TurnRef
from db.engine import Database
from domain.conversations.turn_store import SpokenLine

_LINE_CHARS = 8_000
"""Of a message: what it is about stands at its beginning, and a summary of it has two lines."""

_LINES = 400
"""Messages of one run; more are the next run's."""

_KEPT = 2
"""Of a conversation: the newest, and the one that a turn may still be reading."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What a turn knows of its conversation beside the last messages.

    last: the number of the last message before the turn, 0 without one. upto: the last message that the summary
    covers, 0 without a summary. lasts: it is not the single turn of a caller who brings the history along.
    """

    last: int
    labels: dict[str, str]
    lasts: bool = True
    summary: str = ""
    upto: int = 0


@dataclass(frozen=True, slots=True)
class Unsummarised:
    """lines: the messages after `upto`, as far as they are to be summarised, oldest first; the last is number `end`."""

    agent_id: UUID
    summary: str
    upto: int
    lines: list[SpokenLine]
    end: int


async def remembered(database: Database, ref: TurnRef) -> Remembered:
    """One round trip and a half; a conversation that is gone has nothing."""
    async with database.transaction(ref.org_id) as connection:
        row = await connection.fetchrow(
            """SELECT c.labels, c.kind, m.last, s.text, s.upto
               FROM conversations c
               CROSS JOIN LATERAL (
                   SELECT coalesce(max(x.position), 0) AS last FROM messages x
                   WHERE x.conversation_id = c.id AND x.turn_id IS DISTINCT FROM $2
               ) AS m
               LEFT JOIN LATERAL (
                   SELECT h.text, h.upto FROM history_summaries h
                   WHERE h.conversation_id = c.id AND h.upto <= m.last ORDER BY h.upto DESC LIMIT 1
               ) AS s ON true
               WHERE c.id = $1""",
            ref.conversation_id,
            ref.turn_id,
        )
    if row is None:
        return Remembered(0, {})
    return Remembered(row["last"], row["labels"], row["kind"] == "conversation", row["text"] or "", row["upto"] or 0)


async def unsummarised(database: Database, org_id: UUID, conversation_id: UUID, upto: int) -> Unsummarised | None:
    """What a summary up to a message has to be made of. None when there is one, or the conversation is gone."""
    async with database.transaction(org_id) as connection:
        agent_id = await connection.fetchval("SELECT agent_id FROM conversations WHERE id = $1", conversation_id)
        before = await connection.fetchrow(
            "SELECT text, upto FROM history_summaries WHERE conversation_id = $1 ORDER BY upto DESC LIMIT 1",
            conversation_id,
        )
        covered = before["upto"] if before else 0
        rows = await connection.fetch(
            """SELECT role, left(text, $4) AS text, position FROM messages
               WHERE conversation_id = $1 AND position > $2 AND position <= $3 ORDER BY position LIMIT $5""",
            conversation_id,
            covered,
            upto,
            _LINE_CHARS,
            _LINES,
        )
    if agent_id is None or not rows:
        return None
    lines = [SpokenLine(row["role"], row["text"]) for row in rows]
    return Unsummarised(agent_id, before["text"] if before else "", covered, lines, rows[-1]["position"])


async def keep(
    database: Database,
    org_id: UUID,
    conversation_id: UUID,
    upto: int,
    text: str,
    *,
    written_by: str,
    provider: str | None = None,
    model: str | None = None,
) -> None:
    """The first summary up to a message stays; older ones go but for one. Idempotent."""
    async with database.transaction(org_id) as connection:
        await connection.execute(
            """INSERT INTO history_summaries (conversation_id, upto, org_id, text, written_by, provider, model)
               SELECT $1, $2, $3, $4, $5, $6, $7 FROM conversations WHERE id = $1
               ON CONFLICT DO NOTHING""",
            conversation_id,
            upto,
            org_id,
            text,
            written_by,
            provider,
            model,
        )
        await connection.execute(
            """DELETE FROM history_summaries WHERE conversation_id = $1 AND upto NOT IN (
                   SELECT upto FROM history_summaries WHERE conversation_id = $1 ORDER BY upto DESC LIMIT $2)""",
            conversation_id,
            _KEPT,
        )
