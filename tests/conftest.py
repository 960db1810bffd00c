"""What tests stand on: a real Postgres and a real Temporal, started once a session and stopped after it."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest
from temporalio.client import Client

from db.engine import Database
from db.migrate import migrate
from runtime.embedded.postgres import EmbeddedPostgres
from runtime.embedded.process import free_port
from runtime.embedded.temporal import EmbeddedTemporal
from runtime.settings import Settings
from runtime.telemetry import Telemetry
from runtime.temporal import connect
from tests.house import House, house_on


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A migrated database. Its data may be lost in a crash (fsync off); chaos tests start their own."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), free_port(), durable=False)
    server.start()
    try:
        asyncio.run(migrate(server.url))
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def temporal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedTemporal]:
    server = EmbeddedTemporal(tmp_path_factory.mktemp("temporal"), free_port(), None)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
async def database(postgres: EmbeddedPostgres) -> AsyncIterator[Database]:
    """Connections as the application role: a superuser would skip row-level security in silence."""
    database = Database(postgres.url)
    await database.open()
    yield database
    await database.close()


@pytest.fixture(scope="session")
async def temporal_client(temporal: EmbeddedTemporal) -> Client:
    return await connect(Settings(temporal_address=temporal.address), Telemetry(None))


@pytest.fixture(scope="module")
async def house(
    postgres: EmbeddedPostgres,
    temporal: EmbeddedTemporal,
    temporal_client: Client,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[House]:
    """The worker for turns, in this process, with nothing faked but the model."""
    folder = tmp_path_factory.mktemp("house")
    async with house_on(postgres, temporal, temporal_client, folder, allow_private_tool_targets=True) as house:
        yield house


@pytest.fixture
async def org(postgres: EmbeddedPostgres) -> UUID:
    """A new organisation, so that tests never see each other's rows."""
    return await make_org(postgres)


async def make_org(postgres: EmbeddedPostgres, name: str = "Test") -> UUID:
    org_id = uuid4()
    connection = await asyncpg.connect(postgres.url)
    try:
        await connection.execute("INSERT INTO orgs (id, name) VALUES ($1, $2)", org_id, name)
    finally:
        await connection.close()
    return org_id


@pytest.fixture(scope="session")
def shared_data() -> Path | None:
    """Public development data beside the checkout, where there is some."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    return folder if folder.is_dir() else None


def pytest_sessionfinish() -> None:
    # The Temporal SDK's native threads may outlive the loop and crash the interpreter while it
    # finalises (12% of runs with 1.35.0 on CPython 3.11); letting them settle cures it.
    gc.collect()
    time.sleep(0.5)
