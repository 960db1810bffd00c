"""The whole API behind a real server on loopback, and callers of it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import httpx2
import uvicorn
from temporalio.client import Client

from api.app import create_app
from api.resources import ApiResources
from api.temporal import Temporal
from db.engine import Database
from domain.auth import permissions, store
from domain.auth.authenticator import Authenticator
from domain.auth.permissions import Permission
from domain.conversations.hub import EventHub
from domain.knowledge.removal import Removal
from runtime.embedded.process import free_port
from runtime.metrics import Metrics
from runtime.resources import Resources


@dataclass(frozen=True)
class Site:
    url: str
    resources: ApiResources

    @property
    def database(self) -> Database:
        return self.resources.database

    async def key(self, org: UUID, allowed: Sequence[Permission] = permissions.ALL) -> str:
        async with self.database.session(org) as session:
            _, text = await store.create_key(session, org, "test", allowed)
        return text

    async def caller(self, org: UUID, allowed: Sequence[Permission] = permissions.ALL) -> httpx2.AsyncClient:
        return self.caller_with(await self.key(org, allowed))

    def caller_with(self, key: str) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            base_url=self.url, headers={"Authorization": f"Bearer {key}"}, timeout=httpx2.Timeout(30)
        )

    def stranger(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(base_url=self.url, timeout=httpx2.Timeout(30))


@asynccontextmanager
async def open_site(
    resources: Resources,
    client: Client,
    *,
    database: Database | None = None,
    max_upload_bytes: int = 2_000_000,
    require_idempotency_key: bool = False,
) -> AsyncIterator[Site]:
    """A server of its own, on the process's loop, so that it shares the test's connections."""
    database = database or resources.database
    given = ApiResources(
        database=database,
        hub=EventHub(database),
        knowledge=resources.knowledge,
        removal=Removal(resources.knowledge.index, resources.storage),
        storage=resources.storage,
        temporal=Temporal(client),
        metrics=Metrics(),
        prices=resources.ledger.prices,
        router=resources.router,
        authenticator=Authenticator(database),
        max_upload_bytes=max_upload_bytes,
        require_idempotency_key=require_idempotency_key,
    )
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(create_app(given), port=port, log_config=None, access_log=False, timeout_graceful_shutdown=1)
    )
    serving = asyncio.create_task(server.serve())
    while not server.started:
        assert not serving.done(), "the server did not start"
        await asyncio.sleep(0.01)
    try:
        yield Site(f"http://127.0.0.1:{port}", given)
    finally:
        server.should_exit = True
        await serving
