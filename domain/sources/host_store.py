"""Whose turn it is to ask a host: one request at a time and a pause between two, whatever number of sources lead there.

Within an organisation; what another one reads is not its business to know.
"""

from uuid import UUID

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from db.tables.sources import Source
from domain.sources.address import host_of

_HOLD_SECONDS = 150
"""Longer than an item's three tries of 30 s with their pauses; for a source that died and is not read again."""

_LOOK_AGAIN_SECONDS = 0.25
"""While another source's request is under way: nobody knows when it ends."""

_CLAIM = text(
    """INSERT INTO source_hosts (org_id, host, holder, held_until, free_at)
       VALUES (:org, :host, :source, clock_timestamp() + make_interval(secs => :hold), clock_timestamp())
       ON CONFLICT (org_id, host) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until
       WHERE source_hosts.free_at <= clock_timestamp()
         AND (source_hosts.held_until <= clock_timestamp() OR source_hosts.holder = excluded.holder)
       RETURNING true"""
)
_FREE_IN = text(
    """SELECT extract(epoch FROM free_at - clock_timestamp())::float8 FROM source_hosts
       WHERE org_id = :org AND host = :host"""
)
_RELEASE = text(
    """UPDATE source_hosts SET held_until = clock_timestamp(),
           free_at = clock_timestamp() + make_interval(secs => :pause)
       WHERE org_id = :org AND host = :host AND holder = :source"""
)


async def claim(session: AsyncSession, source: Source, key: str) -> float:
    """0 when the source may ask the key's host now, and does, until `release`; else seconds after which to try again.

    A source that claims again what it holds gets it: it died in between. A key that is no address has no host.
    """
    given = _given(source, key)
    if given is None:
        return 0.0
    connection = await session.connection()
    if (await connection.execute(_CLAIM, given | {"hold": _HOLD_SECONDS})).scalar():
        return 0.0
    free_in = (await connection.execute(_FREE_IN, given)).scalar()
    return max(float(free_in or 0), _LOOK_AGAIN_SECONDS)


async def release(session: AsyncSession, source: Source, key: str, pause: float) -> None:
    """Nobody asks the host for so many seconds. Nothing when another source holds it by now."""
    given = _given(source, key)
    if given is not None:
        await (await session.connection()).execute(_RELEASE, given | {"pause": pause})


def _given(source: Source, key: str) -> dict[str, str | UUID | float] | None:
    if not key.startswith(("http://", "https://")):
        return None
    return {"org": source.org_id, "host": host_of(key), "source": source.id}
