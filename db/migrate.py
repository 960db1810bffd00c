"""Brings a database to the newest schema. The one place where the owner's role is used."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from db.engine import sqlalchemy_url

# Any number will do, as long as no other program takes the same advisory lock.
_LOCK = 7_205_319_046


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection) -> None:
    command.upgrade(_config(connection), "head")


async def migrate(database_url: str) -> None:
    """Upgrade to head. Idempotent; two at once wait for each other. Needs the owner's role."""
    engine = create_async_engine(sqlalchemy_url(database_url))
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            await connection.run_sync(_upgrade)
    finally:
        await engine.dispose()


async def versions(database_url: str) -> tuple[str | None, str | None]:
    """The schema's revision now (None: never migrated), and the newest one this code knows."""
    engine = create_async_engine(sqlalchemy_url(database_url))
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_versions)
    finally:
        await engine.dispose()


def _versions(connection: Connection) -> tuple[str | None, str | None]:
    newest = ScriptDirectory.from_config(_config(connection)).get_current_head()
    return MigrationContext.configure(connection).get_current_revision(), newest
