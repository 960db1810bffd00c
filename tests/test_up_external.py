"""`everturn up` over servers of one's own uses them, teaches them what they lack, and leaves them running."""

import asyncio
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from google.protobuf.duration_pb2 import Duration
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client

from contracts import search
from runtime.embedded.postgres import EmbeddedPostgres
from runtime.embedded.temporal import EmbeddedTemporal
from tests.house import data_folder
from tests.test_up import everturn

pytestmark = pytest.mark.timeout(300)


async def test_up_answers_over_a_postgres_and_a_temporal_that_were_there_before(
    postgres: EmbeddedPostgres, temporal: EmbeddedTemporal, temporal_client: Client, tmp_path: Path
) -> None:
    name = f"own_{uuid4().hex[:8]}"
    owner = await asyncpg.connect(postgres.url)
    await owner.execute(f"CREATE DATABASE {name}")
    await owner.close()
    keep = Duration()
    keep.FromTimedelta(timedelta(days=1))
    await temporal_client.workflow_service.register_namespace(
        RegisterNamespaceRequest(namespace=name, workflow_execution_retention_period=keep)
    )
    folder = data_folder(tmp_path / "data")
    url = postgres.url.rpartition("/")[0] + f"/{name}"
    once = await asyncio.to_thread(
        everturn, folder, "up", "--once", DATABASE_URL=url, TEMPORAL_ADDRESS=temporal.address, TEMPORAL_NAMESPACE=name
    )
    assert once.returncode == 0, once.stdout + once.stderr
    assert "[1] Cancel" in once.stdout
    assert not any((folder / server).exists() for server in ("postgres", "temporal")), "nothing of its own was made"
    known = await temporal_client.operator_service.list_search_attributes(ListSearchAttributesRequest(namespace=name))
    assert {key.name for key in search.ALL} <= set(known.custom_attributes)
    connection = await asyncpg.connect(url)  # still running, with what the turn left behind
    assert await connection.fetchval("SELECT state FROM turns") == "completed"
    await connection.close()
    runs = Client(temporal_client.service_client, namespace=name).list_workflows(
        "WorkflowType = 'ConversationWorkflow'"
    )
    assert [run async for run in runs]


async def test_up_says_that_a_database_is_not_there(tmp_path: Path) -> None:
    given = {"DATABASE_URL": "postgresql://a:b@127.0.0.1:9/c", "TEMPORAL_ADDRESS": "127.0.0.1:9"}
    told = await asyncio.to_thread(everturn, data_folder(tmp_path / "data"), "up", "--once", **given)
    assert told.returncode == 1
    assert "Postgres at DATABASE_URL does not answer" in told.stderr
    assert "Traceback" not in told.stdout + told.stderr
