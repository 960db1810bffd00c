"""What a turn may rest on: its passages, what its tools said, and what the customer wrote."""

from uuid import UUID

from db.engine import Connection


async def grounded_texts(connection: Connection, turn_id: UUID) -> list[str]:
    """Every text of the turn's evidence; empty for a turn of another organisation."""
    rows = await connection.fetch(
        """SELECT text FROM turn_passages WHERE turn_id = $1
           UNION ALL SELECT outcome FROM tool_calls WHERE turn_id = $1 AND outcome IS NOT NULL
           UNION ALL SELECT text FROM messages WHERE turn_id = $1 AND role = 'user'""",
        turn_id,
    )
    return [row["text"] for row in rows]
