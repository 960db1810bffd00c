"""One Postgres and one Temporal for everyone who is measured, with data as safe as in production."""

import shutil
from pathlib import Path

import asyncpg

from runtime.embedded.postgres import EmbeddedPostgres
from runtime.embedded.process import free_port
from runtime.embedded.temporal import EmbeddedTemporal


class Servers:
    """Started empty. A database of its own for each contender, so that commits can be told apart."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.rmtree(folder, ignore_errors=True)
        self.postgres = EmbeddedPostgres(folder / "postgres", free_port())
        self.temporal = EmbeddedTemporal(folder / "temporal", free_port(), None)

    def start(self) -> None:
        self.postgres.start()
        self.temporal.start()

    def stop(self) -> None:
        self.temporal.stop()
        self.postgres.stop()

    @property
    def pids(self) -> dict[str, int]:
        return {"postgres": self.postgres.pid, "temporal": self.temporal.pid}

    def url(self, database: str) -> str:
        return self.postgres.url.rsplit("/", 1)[0] + f"/{database}"

    async def create_database(self, database: str) -> None:
        connection = await asyncpg.connect(self.postgres.url)
        try:
            await connection.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
            await connection.execute(f'CREATE DATABASE "{database}"')
        finally:
            await connection.close()

    async def commits(self, database: str) -> int:
        """So far. Backends report at most once a second, so ask well after the work."""
        connection = await asyncpg.connect(self.postgres.url)
        try:
            return int(
                await connection.fetchval("SELECT xact_commit FROM pg_stat_database WHERE datname = $1", database) or 0
            )
        finally:
            await connection.close()
