"""How the models of providers are doing, shared by all workers: one statement each. `breaker.py` decides.

The SQL functions are in db/migrations/versions/0008_model_policies.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from db.engine import Database
from domain.errors import FailureKind

DEPLOYMENT = UUID(int=0)
"""Whose keys these are: those of the settings are shared by all organisations, and so is their health."""


@dataclass(frozen=True, slots=True)
class Unwell:
    """A breaker that is not closed. opens: openings in a row. Seconds are what is left; below 0: it is over."""

    provider: str
    model: str
    opens: int
    open_seconds: float
    probe_seconds: float | None
    last_kind: FailureKind | None
    last_detail: str | None
    changed_at: datetime


_FORGOTTEN_SECONDS = 86_400
"""Nobody has asked it for a day since it might have been: a model that was taken out of use."""


async def read(database: Database) -> Sequence[Unwell]:
    """All that are not closed; none when all is well."""
    rows = await database.pool.fetch("SELECT * FROM read_provider_health($1)", DEPLOYMENT)
    return [Unwell(**dict(row)) for row in rows if row["open_seconds"] > -_FORGOTTEN_SECONDS]


async def failed(
    database: Database,
    provider: str,
    model: str,
    *,
    kind: FailureKind,
    detail: str,
    others: int,
    at_once: bool,
    retry_after: float | None,
    rule: dict[str, Any],
) -> bool:
    """Count a failure. True when it opened the breaker. others: answers since this process last said something."""
    opened = await database.pool.fetchval(
        "SELECT provider_failed($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        DEPLOYMENT,
        provider,
        model,
        kind,
        detail,
        others,
        at_once,
        retry_after,
        rule,
    )
    return bool(opened)


async def answered(database: Database, provider: str, model: str) -> bool:
    """Close a half-open breaker. True when this did it."""
    return bool(await database.pool.fetchval("SELECT provider_answered($1, $2, $3)", DEPLOYMENT, provider, model))


async def claim_probe(database: Database, provider: str, model: str, *, seconds: float) -> bool:
    """Take the right to try a half-open one, for so long. False when another call has it, or it is open."""
    return bool(
        await database.pool.fetchval("SELECT claim_probe($1, $2, $3, $4)", DEPLOYMENT, provider, model, seconds)
    )


async def release_probe(database: Database, provider: str, model: str) -> None:
    """Give the right back. Idempotent."""
    await database.pool.execute("SELECT release_probe($1, $2, $3)", DEPLOYMENT, provider, model)
