"""One API for all tests of the door; each test brings its own organisation."""

from collections.abc import AsyncIterator
from uuid import UUID

import httpx2
import pytest
from pydantic import SecretStr
from temporalio.client import Client

from runtime.embedded.postgres import EmbeddedPostgres
from runtime.embedded.temporal import EmbeddedTemporal
from runtime.resources import Resources, open_resources
from runtime.settings import Settings
from tests.api.site import Site, open_site
from tests.conftest import make_org
from tests.house import House, data_folder, open_house


@pytest.fixture(scope="session")
def api_settings(
    postgres: EmbeddedPostgres, temporal: EmbeddedTemporal, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    return Settings(
        database_url=postgres.url,
        temporal_address=temporal.address,
        data_dir=data_folder(tmp_path_factory.mktemp("api")),
        allow_private_tool_targets=True,
        source_databases={"*/shop": SecretStr(postgres.url.rpartition("/")[0] + "/api_shop")},
    )


@pytest.fixture(scope="session")
async def api_resources(api_settings: Settings) -> AsyncIterator[Resources]:
    async with open_resources(api_settings, "test") as resources:
        yield resources


@pytest.fixture(scope="session")
async def site(api_resources: Resources, temporal_client: Client) -> AsyncIterator[Site]:
    async with open_site(api_resources, temporal_client) as site:
        yield site


@pytest.fixture(scope="package")
async def workers(api_settings: Settings, temporal_client: Client) -> AsyncIterator[House]:
    """Workers over the same data folder, for tests whose requests must be worked on.

    Gone after this folder's tests: one process can serve a queue only once, and others want it too.
    """
    async with open_house(api_settings, temporal_client) as house:
        yield house


@pytest.fixture
async def caller(site: Site, org: UUID) -> AsyncIterator[httpx2.AsyncClient]:
    """May do everything in an organisation of its own."""
    async with await site.caller(org) as client:
        yield client


@pytest.fixture
async def outsider(site: Site, postgres: EmbeddedPostgres) -> AsyncIterator[httpx2.AsyncClient]:
    """May do everything, in another organisation."""
    async with await site.caller(await make_org(postgres)) as client:
        yield client
