"""The rows that make a side effect happen once: claimed, then sent, then its outcome. Not for making the call."""

from typing import Literal
from uuid import UUID, uuid5

from contracts.turn import ToolCall, ToolResult, ToolState
from db.engine import Database

LedgerState = Literal["claimed", "sent", "succeeded", "failed", "unknown"]


def idempotency_key(turn_id: UUID, call_key: str) -> str:
    """The same for every attempt at a call, and for no other call."""
    return str(uuid5(turn_id, call_key))


class Ledger:
    """Each method is one transaction of one tenant."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, org_id: UUID, turn_id: UUID, call: ToolCall) -> tuple[LedgerState, str | None]:
        """Where the call stands, and its outcome where it has one. The first claim makes the row."""
        async with self._database.transaction(org_id) as connection:
            row = await connection.fetchrow(
                """INSERT INTO tool_calls (turn_id, org_id, call_key, idempotency_key, name, arguments, state)
                   VALUES ($1, $2, $3, $4, $5, $6, 'claimed')
                   ON CONFLICT (turn_id, call_key) DO UPDATE SET attempts = tool_calls.attempts + 1
                   RETURNING state, outcome""",
                turn_id,
                org_id,
                call.key,
                idempotency_key(turn_id, call.key),
                call.name,
                call.arguments,
            )
        assert row is not None, "an upsert always returns its row"
        return row["state"], row["outcome"]

    async def mark_sent(self, org_id: UUID, turn_id: UUID, call: ToolCall, *, again: bool) -> bool:
        """Note that the request leaves now. Of two attempts at once, one is told False and must not send.

        again: the tool may be asked twice, so a call already sent is sent again.
        """
        allowed = ["claimed", "sent"] if again else ["claimed"]
        return await self._move(org_id, turn_id, call, allowed, "sent")

    async def release(self, org_id: UUID, turn_id: UUID, call: ToolCall) -> None:
        """The request never left: the next attempt may send it."""
        await self._move(org_id, turn_id, call, ["sent"], "claimed")

    async def settle(self, org_id: UUID, turn_id: UUID, result: ToolResult) -> ToolResult:
        """Store an outcome; the first one stays. Returns what is stored.

        A late true outcome replaces "unknown", so that whoever reconciles finds it.
        """
        replaceable = ["claimed", "sent"] if result.state == "unknown" else ["claimed", "sent", "unknown"]
        async with self._database.transaction(org_id) as connection:
            row = await connection.fetchrow(
                """UPDATE tool_calls SET
                     outcome = CASE WHEN state = ANY($4) THEN $6 ELSE outcome END,
                     finished_at = CASE WHEN state = ANY($4) THEN clock_timestamp() ELSE finished_at END,
                     state = CASE WHEN state = ANY($4) THEN $5 ELSE state END
                   WHERE turn_id = $1 AND org_id = $2 AND call_key = $3 RETURNING state, outcome""",
                turn_id,
                org_id,
                result.key,
                replaceable,
                result.state,
                result.content,
            )
        assert row is not None, "only a claimed call is settled"
        state: ToolState = row["state"]
        return result.model_copy(update={"state": state, "content": row["outcome"]})

    async def _move(self, org_id: UUID, turn_id: UUID, call: ToolCall, from_states: list[str], to: LedgerState) -> bool:
        async with self._database.transaction(org_id) as connection:
            moved = await connection.fetchrow(
                """UPDATE tool_calls SET state = $5
                   WHERE turn_id = $1 AND org_id = $2 AND call_key = $3 AND state = ANY($4) RETURNING 1""",
                turn_id,
                org_id,
                call.key,
                from_states,
                to,
            )
        return moved is not None
