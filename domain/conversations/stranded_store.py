"""Turns that were begun and that perhaps nobody runs. Not for running them: their conversation does."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from contracts.turn import IncomingMessage
from db.engine import Connection


@dataclass(frozen=True, slots=True)
class StrandedTurn:
    """messages: what the customer said in it, oldest first."""

    conversation_id: UUID
    agent_version_id: UUID
    messages: list[IncomingMessage]


async def stranded_turns(connection: Connection, older_than: timedelta, limit: int) -> list[StrandedTurn]:
    """Turns of conversations that run for longer than this; most of them are long, and not stranded."""
    rows = await connection.fetch(
        """SELECT t.conversation_id, c.agent_version_id, jsonb_agg(
               jsonb_build_object('id', m.id, 'text', m.text, 'client_key', m.client_key, 'attachments', (
                   SELECT coalesce(jsonb_agg(jsonb_build_object('name', a.name, 'media_type', a.media_type,
                       'size', a.size, 'sha256', a.sha256) ORDER BY a.position), '[]')
                   FROM message_attachments a WHERE a.message_id = m.id)) ORDER BY m.position) AS said
           FROM turns t
           JOIN conversations c ON c.id = t.conversation_id AND c.kind = 'conversation'
           JOIN messages m ON m.conversation_id = t.conversation_id AND m.turn_id = t.id AND m.role = 'user'
           WHERE t.state = 'running' AND t.started_at < clock_timestamp() - $1::interval
           GROUP BY t.id, c.agent_version_id ORDER BY t.started_at LIMIT $2""",
        older_than,
        limit,
    )
    return [
        StrandedTurn(
            row["conversation_id"],
            row["agent_version_id"],
            [IncomingMessage.model_validate(each) for each in row["said"]],
        )
        for row in rows
    ]
