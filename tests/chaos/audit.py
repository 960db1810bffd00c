"""The promises, held against the database of a stand after the dust has settled."""

from dataclasses import dataclass, field
from typing import Any

import asyncpg

_CHECKS = {
    "every turn ended": "SELECT id FROM turns WHERE state = 'running'",
    "every turn that ended has exactly one answer": """
        SELECT t.id FROM turns t LEFT JOIN messages m ON m.turn_id = t.id AND m.role = 'assistant'
        GROUP BY t.id HAVING count(m.id) <> 1""",
    "every message of a customer belongs to a turn": "SELECT id FROM messages WHERE role = 'user' AND turn_id IS NULL",
    "no message was stored twice": """
        SELECT conversation_id, client_key FROM messages WHERE client_key IS NOT NULL
        GROUP BY 1, 2 HAVING count(*) > 1""",
    "seq is gapless": """
        SELECT conversation_id FROM events GROUP BY 1 HAVING count(*) <> max(seq) OR min(seq) <> 1""",
    "the head of each log is its last event": """
        SELECT s.conversation_id FROM event_streams s
        WHERE s.last_seq <> (SELECT coalesce(max(seq), 0) FROM events e WHERE e.conversation_id = s.conversation_id)""",
    # Maintenance settles what a killed worker left open a minute after the end of its turn.
    "a model call is left open only where a worker died in it and another was made": """
        SELECT c.place, c.number FROM model_calls c JOIN turns t ON t.id = c.turn_id AND t.state = 'completed'
        WHERE c.state = 'reserved' AND NOT EXISTS (
            SELECT 1 FROM model_calls o WHERE o.turn_id = c.turn_id AND o.reserved_at > c.reserved_at)""",
    "a call costs nothing before it is settled, and says then how it ended": """
        SELECT place, number FROM model_calls WHERE (state = 'reserved' AND cost_micros <> 0)
        OR (state = 'settled' AND (outcome IS NULL OR settled_at IS NULL))""",
    "a budget agrees with the calls that it counts": """
        SELECT b.id FROM budgets b JOIN budget_periods p ON p.budget_id = b.id
        LEFT JOIN model_calls c ON c.org_id = b.org_id AND period_start(b.period, c.reserved_at) = p.starts_on
            AND (b.scope = 'organisation' OR b.scope = 'agent' AND c.agent_id = b.scope_id
                OR b.scope = 'api_key' AND c.api_key_id = b.scope_id)
        GROUP BY b.id, p.starts_on, p.spent_micros, p.reserved_micros
        HAVING p.spent_micros <> coalesce(sum(c.cost_micros), 0)
            OR p.reserved_micros <> coalesce(sum(c.reserved_micros) FILTER (WHERE c.state = 'reserved'), 0)""",
    "no tool call is left open": "SELECT turn_id FROM tool_calls WHERE state IN ('claimed', 'sent')",
}


@dataclass
class Findings:
    """violations: check by check, what broke it."""

    violations: dict[str, list[Any]] = field(default_factory=dict)
    turns: int = 0
    failed_turns: int = 0
    repeated_calls: int = 0
    unknown_tools: int = 0


async def audit(database_url: str) -> Findings:
    """Read as the owner, who sees every organisation."""
    connection = await asyncpg.connect(database_url)
    findings = Findings()
    try:
        for promise, query in _CHECKS.items():
            broken = await connection.fetch(query)
            if broken:
                findings.violations[promise] = [tuple(row) for row in broken]
        findings.violations |= await _rebuilt(connection)
        findings.turns = await connection.fetchval("SELECT count(*) FROM turns")
        findings.failed_turns = await connection.fetchval("SELECT count(*) FROM turns WHERE state = 'failed'")
        findings.repeated_calls = await connection.fetchval("SELECT count(*) FROM model_calls WHERE attempt > 1")
        findings.unknown_tools = await connection.fetchval("SELECT count(*) FROM tool_calls WHERE state = 'unknown'")
    finally:
        await connection.close()
    return findings


async def _rebuilt(connection: "asyncpg.Connection[asyncpg.Record]") -> dict[str, list[Any]]:
    """The text that the log's pieces make is the text of the stored message, for every turn."""
    rows = await connection.fetch(
        """SELECT e.turn_id, e.type, e.data->>'text' AS text, (e.data->>'at')::int AS at, (e.data->>'to')::int AS kept
           FROM events e WHERE e.type IN ('reply.delta', 'reply.rewind') ORDER BY e.conversation_id, e.seq"""
    )
    texts: dict[Any, str] = {}
    overlaps = []
    for row in rows:
        text = texts.get(row["turn_id"], "")
        if row["type"] == "reply.rewind":
            texts[row["turn_id"]] = text[: row["kept"]]
            continue
        if row["at"] != len(text):
            overlaps.append(row["turn_id"])
        texts[row["turn_id"]] = text[: row["at"]] + row["text"]
    stored = await connection.fetch("SELECT turn_id, text FROM messages WHERE role = 'assistant'")
    differing = [row["turn_id"] for row in stored if texts.get(row["turn_id"], "") != row["text"]]
    return {
        promise: broken
        for promise, broken in (
            ("no text is shown twice", overlaps),
            ("the stream makes the stored message", differing),
        )
        if broken
    }
