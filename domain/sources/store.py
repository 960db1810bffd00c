"""Rows of sources and of what was found there. Callers own the transaction; row-level security picks the tenant."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import delete, func, text, tuple_, update
from sqlalchemy.orm import aliased
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from db.tables.columns import now
from db.tables.knowledge import Document
from db.tables.sources import Source, SourceItem
from domain.errors import Conflict, NotFound, Superseded
from domain.knowledge.store import get_collection
from domain.sources.found import Found, Seed

Cursor = tuple[datetime, UUID]

_BEGUN = ("stored", "unchanged", "failed", "vanished")
"""States, beside waiting, that count towards the limit of a run: each cost a request that gave something."""


_GIVEN = """unnest(CAST(:ids AS uuid[]), CAST(:keys AS text[]), CAST(:states AS text[]), CAST(:details AS text[]))
    WITH ORDINALITY AS i(id, key, state, detail, place)"""
_SEEN_AGAIN = f"""
UPDATE source_items s SET run = :run, state = i.state, detail = i.detail, depth = :depth, position = NULL,
    updated_at = now()
FROM {_GIVEN} WHERE s.source_id = :source AND s.key = i.key AND s.run < :run
"""  # noqa: S608  both parts are ours
_NEW = f"""
INSERT INTO source_items (id, org_id, source_id, key, depth, run, state, detail, created_at)
SELECT i.id, :org, :source, i.key, :depth, :run, i.state, i.detail, clock_timestamp()
FROM {_GIVEN} ORDER BY i.place ON CONFLICT DO NOTHING
"""  # noqa: S608  both parts are ours


async def create_source(
    session: AsyncSession,
    org_id: UUID,
    collection_id: UUID,
    *,
    config: dict[str, Any],
    name: str,
    refresh_minutes: int | None = None,
    source_id: UUID | None = None,
    labels: Mapping[str, str] | None = None,
) -> Source:
    """Queued: the caller starts its crawl. Raises NotFound (collection)."""
    await get_collection(session, collection_id)
    source = Source(
        id=source_id or uuid4(),
        org_id=org_id,
        collection_id=collection_id,
        kind=config["kind"],
        name=name,
        config=config,
        labels=dict(labels or {}),
        refresh_minutes=refresh_minutes,
    )
    session.add(source)
    await session.flush()
    return source


async def get_source(session: AsyncSession, source_id: UUID, *, lock: bool = False) -> Source:
    """Raises NotFound."""
    source = await session.get(Source, source_id, with_for_update=lock or None, populate_existing=lock)
    if source is None:
        raise NotFound("no such source")
    return source


async def list_sources(
    session: AsyncSession, collection_id: UUID, *, after: Cursor | None = None, limit: int = 50
) -> list[Source]:
    """Newest first. Raises NotFound (collection)."""
    await get_collection(session, collection_id)
    created_at, row_id = col(Source.created_at), col(Source.id)
    statement = select(Source).where(Source.collection_id == collection_id)
    if after is not None:
        statement = statement.where(tuple_(created_at, row_id) < after)
    return list((await session.exec(statement.order_by(created_at.desc(), row_id.desc()).limit(limit))).all())


async def list_items(
    session: AsyncSession, source_id: UUID, *, state: str | None = None, after: Cursor | None = None, limit: int = 50
) -> list[SourceItem]:
    """Newest first. Raises NotFound (source)."""
    await get_source(session, source_id)
    created_at, row_id = col(SourceItem.created_at), col(SourceItem.id)
    statement = select(SourceItem).where(SourceItem.source_id == source_id)
    if state is not None:
        statement = statement.where(SourceItem.state == state)
    if after is not None:
        statement = statement.where(tuple_(created_at, row_id) < after)
    return list((await session.exec(statement.order_by(created_at.desc(), row_id.desc()).limit(limit))).all())


async def queue_source(session: AsyncSession, source_id: UUID) -> Source:
    """To be read once more. Raises NotFound, and Conflict for an upload, which has nothing to go back to."""
    source = await get_source(session, source_id, lock=True)
    if source.kind == "upload":
        raise Conflict("an upload is read once; upload the files again")
    if source.state in {"queued", "running"}:
        return source
    return await _change(session, source, state="queued", error_code=None, error_detail=None)


async def delete_source(session: AsyncSession, source_id: UUID) -> list[UUID]:
    """Delete the source with its items; returns the documents that came from it, which stay. Raises NotFound."""
    await get_source(session, source_id, lock=True)
    found = await session.exec(
        select(SourceItem.document_id).where(
            SourceItem.source_id == source_id, col(SourceItem.document_id).is_not(None)
        )
    )
    documents = [each for each in found.all() if each is not None]
    await session.exec(delete(Source).where(col(Source.id) == source_id))
    return documents


async def begin(session: AsyncSession, source_id: UUID, run_key: str) -> Source:
    """A new run, or the one that run_key has begun already. Raises NotFound."""
    source = await get_source(session, source_id, lock=True)
    if source.run_key == run_key:
        return source
    return await _change(
        session,
        source,
        run=source.run + 1,
        run_key=run_key,
        state="running",
        robots={},
        error_code=None,
        error_detail=None,
    )


async def hold(session: AsyncSession, source_id: UUID, run: int) -> Source:
    """The row, locked until the transaction ends. Raises NotFound, Superseded (another run is the current one)."""
    source = await get_source(session, source_id, lock=True)
    if source.run != run:
        raise Superseded(f"run {source.run} of the source is the current one, not {run}")
    return source


async def hold_key(session: AsyncSession, source_id: UUID, run_key: str) -> Source:
    """As `hold`, for a run whose beginning failed before its number was told."""
    source = await get_source(session, source_id, lock=True)
    if source.run_key != run_key:
        raise Superseded("another run of the source is the current one")
    return source


async def keep_robots(session: AsyncSession, source: Source, host: str, rules: str) -> None:
    # What Postgres cannot keep was no rule.
    await _change(session, source, robots=source.robots | {host: rules.replace("\0", "")})


async def add_items(session: AsyncSession, source: Source, seeds: Sequence[Seed], *, depth: int, limit: int) -> None:
    """What this run has not seen yet, in order, and at most so many that `limit` items of the run are visited.

    Idempotent: an item that this run has seen already stays as it is.
    """
    room = limit - await _visited(session, source)
    waiting = [seed for seed in seeds if seed.state == "waiting"]
    fresh = set(await _unseen(session, source, [seed.key for seed in waiting]))
    kept = {seed.key for seed in [seed for seed in waiting if seed.key in fresh][: max(room, 0)]}
    rows = list({s.key: s for s in seeds if s.state != "waiting" or s.key in kept}.values())
    if not rows:
        return
    connection = await session.connection()  # SQLModel's session takes no text with lists
    given = {
        "org": source.org_id,
        "source": source.id,
        "depth": depth,
        "run": source.run,
        "ids": [uuid4() for _ in rows],
        "keys": [seed.key for seed in rows],
        "states": [seed.state for seed in rows],
        "details": [seed.detail for seed in rows],
    }
    # Two statements, as the caller holds the source's row: nobody else adds to it in between.
    await connection.execute(text(_SEEN_AGAIN), given)
    await connection.execute(text(_NEW), given)


async def next_waiting(session: AsyncSession, source: Source) -> SourceItem | None:
    """The nearest to the start that this run has not visited."""
    statement = select(SourceItem).where(
        SourceItem.source_id == source.id, SourceItem.run == source.run, SourceItem.state == "waiting"
    )
    order = (col(SourceItem.depth), col(SourceItem.created_at), col(SourceItem.id))
    return (await session.exec(statement.order_by(*order).limit(1))).first()


async def settle(
    session: AsyncSession,
    source: Source,
    item_id: UUID,
    found: Found,
    *,
    document_id: UUID | None,
    sha256: str | None,
    starts: bool,
) -> None:
    """Write down what became of an item; starts: its document is to be ingested, so it gets the next position."""
    values: dict[str, Any] = {
        "state": found.state,
        "detail": found.detail[:1000],
        "document_id": document_id,
        "sha256": sha256,
        "etag": found.etag,
        "last_modified": found.last_modified,
        "updated_at": now(),
    }
    if starts:
        await _change(session, source, position=source.position + 1)
        values["position"] = source.position
    await session.exec(update(SourceItem).where(col(SourceItem.id) == item_id).values(values))


async def keys_seen(session: AsyncSession, source: Source) -> list[str]:
    """Keys with a query that this run has met."""
    statement = select(SourceItem.key).where(
        SourceItem.source_id == source.id, SourceItem.run == source.run, col(SourceItem.key).contains("?")
    )
    return list((await session.exec(statement)).all())


async def owner_of(session: AsyncSession, source: Source, document_id: UUID) -> UUID | None:
    """The item of this source that the document came from."""
    statement = select(SourceItem.id).where(
        SourceItem.source_id == source.id, SourceItem.document_id == document_id, SourceItem.state != "duplicate"
    )
    return (await session.exec(statement.limit(1))).first()


async def handed_after(session: AsyncSession, source: Source, position: int, limit: int) -> list[tuple[int, Document]]:
    """Documents to be ingested, with their positions, in order."""
    statement = (
        select(SourceItem.position, Document)
        .join(Document, col(SourceItem.document_id) == Document.id)
        .where(SourceItem.source_id == source.id, col(SourceItem.position) > position)
        .order_by(col(SourceItem.position))
        .limit(limit)
    )
    return [(place, document) for place, document in (await session.exec(statement)).all() if place is not None]


async def count_items(session: AsyncSession, source_id: UUID) -> dict[str, int]:
    """How many items are in each state; states without any are left out."""
    rows = await session.exec(
        select(SourceItem.state, func.count()).where(SourceItem.source_id == source_id).group_by(SourceItem.state)
    )
    return dict(rows.all())


async def count_documents(session: AsyncSession, source_id: UUID) -> dict[str, int]:
    """How many documents that came from here are in each state."""
    rows = await session.exec(
        select(Document.state, func.count(func.distinct(Document.id)))
        .join(SourceItem, col(SourceItem.document_id) == Document.id)
        .where(SourceItem.source_id == source_id)
        .group_by(Document.state)
    )
    return dict(rows.all())


async def finish(session: AsyncSession, source: Source, *, limit: int, code: str | None, detail: str | None) -> None:
    """Ready or failed; what an earlier run had found and this one did not has vanished. Idempotent.

    Nothing is said to have vanished by a run that stopped early, at its limit or by a fault.
    """
    if code is None and await _visited(session, source) < limit:
        await session.exec(
            update(SourceItem)
            .where(col(SourceItem.source_id) == source.id, col(SourceItem.run) < source.run)
            .values(state="vanished", detail="not found any more", updated_at=now())
        )
    first = (
        await session.exec(
            select(SourceItem).where(SourceItem.source_id == source.id, SourceItem.state == "failed").limit(1)
        )
    ).first()
    useful = set(await count_items(session, source.id)) & {"stored", "unchanged", "duplicate", "skipped"}
    if code is None and first is not None and not useful:
        code, detail = "source_unreachable", first.detail
    await _change(
        session,
        source,
        state="ready" if code is None else "failed",
        error_code=code,
        error_detail=detail,
        refreshed_at=now() if code is None else source.refreshed_at,
    )


async def vanished_documents(session: AsyncSession, source_id: UUID) -> list[UUID]:
    """Documents whose every item has vanished, in any source."""
    other = aliased(SourceItem)
    still_there = select(other.id).where(other.document_id == SourceItem.document_id, other.state != "vanished")
    statement = select(SourceItem.document_id).where(
        SourceItem.source_id == source_id, SourceItem.state == "vanished", ~still_there.exists()
    )
    return list({each for each in (await session.exec(statement)).all() if each is not None})


async def _visited(session: AsyncSession, source: Source) -> int:
    statement = (
        select(func.count())
        .select_from(SourceItem)
        .where(
            SourceItem.source_id == source.id,
            SourceItem.run == source.run,
            col(SourceItem.state).in_(("waiting", *_BEGUN)),
        )
    )
    return (await session.exec(statement)).one()


async def _unseen(session: AsyncSession, source: Source, keys: list[str]) -> list[str]:
    known = await session.exec(
        select(SourceItem.key).where(
            SourceItem.source_id == source.id, SourceItem.run == source.run, col(SourceItem.key).in_(keys)
        )
    )
    seen = set(known.all())
    return [key for key in keys if key not in seen]


async def _change(session: AsyncSession, source: Source, **values: Any) -> Source:
    values["updated_at"] = now()
    await session.exec(update(Source).where(col(Source.id) == source.id).values(values))
    await session.refresh(source)
    return source
