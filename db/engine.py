"""Connections, and the one rule over them: a transaction belongs to one tenant or sees no rows.

Two doors onto the same database. `session` is SQLModel, for the rooms' ordinary rows.
`transaction` is asyncpg itself, for the turn and the event log, where a statement through the
ORM costs more processor time than Postgres needs to run it (docs/decisions/0003).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import asyncpg
import orjson
from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

APPLICATION_ROLE = "everturn_app"
"""The role every connection of the product works as: owns nothing, cannot bypass row-level security."""

if TYPE_CHECKING:  # asyncpg's classes are generic for the type checker only
    from asyncpg.pool import PoolConnectionProxy

    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]
else:
    Connection = asyncpg.Connection
    Pool = asyncpg.Pool


DATABASE_AWAY = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What asyncpg raises when the database restarts under it. InternalClientError is its word for a connection
that broke between two of its states ("another operation is in progress"), seen when Postgres was killed."""


class _Connection(asyncpg.Connection):
    """Needs no cleaning between two uses: everything of ours is set for one transaction.

    asyncpg would send four statements after each use, one more round trip for each transaction.
    """

    def get_reset_query(self) -> str:
        return ""


def sqlalchemy_url(database_url: str) -> str:
    """The same database, spelt the way SQLAlchemy wants it."""
    parts = urlsplit(database_url)
    return urlunsplit(parts._replace(scheme="postgresql+asyncpg"))


def _dumps(value: Any) -> str:
    return orjson.dumps(value).decode()


async def _prepare(connection: Connection) -> None:
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=_dumps, decoder=orjson.loads, format="text")


class Database:
    """One process's connections. Open it once, close it at the end.

    role: what connections work as. The startup packet asks for it, so pooled connections cannot
    slip back. Empty for an external database whose URL already names a restricted role.
    """

    def __init__(self, database_url: str, *, role: str = APPLICATION_ROLE, connections: int = 10) -> None:
        settings = {"application_name": "everturn"} | ({"role": role} if role else {})
        self._url = database_url
        self._settings = settings
        self._connections = connections
        self._pool: Pool | None = None
        self.engine: AsyncEngine = create_async_engine(
            sqlalchemy_url(database_url),
            pool_size=connections,
            max_overflow=0,
            pool_pre_ping=True,
            connect_args={"server_settings": settings},
            json_serializer=_dumps,
            json_deserializer=orjson.loads,
        )
        self._sessions = async_sessionmaker(self.engine, class_=AsyncSession, expire_on_commit=False)

    async def open(self) -> None:
        """Connect the hot-path pool. Raises OSError or asyncpg.PostgresError when there is no database."""
        self._pool = await asyncpg.create_pool(
            self._url,
            min_size=2,
            max_size=self._connections,
            server_settings=self._settings,
            init=_prepare,
            connection_class=_Connection,
        )

    async def close(self) -> None:
        """Idempotent."""
        if self._pool is not None:
            await self._pool.close()
            self._pool = None
        await self.engine.dispose()

    @property
    def pool(self) -> Pool:
        if self._pool is None:
            raise RuntimeError("Database.open() was not awaited")
        return self._pool

    async def connect(self) -> "asyncpg.Connection[asyncpg.Record]":
        """A connection of its own, outside the pool, for LISTEN. The caller closes it."""
        connection = await asyncpg.connect(self._url, server_settings=self._settings)
        await _prepare(connection)
        return connection

    @asynccontextmanager
    async def session(self, org_id: UUID) -> AsyncIterator[AsyncSession]:
        """One transaction of one tenant; commits at the end, rolls back on any exception."""
        async with self._sessions() as session, session.begin():
            await session.exec(select(func.set_config("app.org_id", str(org_id), True)))
            yield session

    @asynccontextmanager
    async def transaction(self, org_id: UUID) -> AsyncIterator[Connection]:
        """As `session`, on asyncpg. BEGIN and the tenant go out in one round trip (0.2 ms saved)."""
        async with self.pool.acquire() as connection:
            # A UUID's text form cannot hold a quote, so it may stand in the statement.
            await connection.execute(f"BEGIN; SELECT set_config('app.org_id', '{UUID(str(org_id))}', true)")
            try:
                yield connection
                await connection.execute("COMMIT")
            except BaseException:
                await _roll_back(connection)
                raise


async def _roll_back(connection: Connection) -> None:
    """Leave nothing open behind; a connection that cannot even say ROLLBACK is thrown away."""
    try:
        await connection.execute("ROLLBACK")
    except DATABASE_AWAY:
        connection.terminate()
