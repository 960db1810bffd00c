"""The product as real processes that can be killed one by one: Postgres, Temporal, API, two workers."""

import asyncio
import os
import signal
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

from contracts import queues
from db.engine import Database
from db.migrate import migrate
from domain.auth import org_store, permissions, store
from runtime.embedded.postgres import EmbeddedPostgres
from runtime.embedded.process import free_port
from runtime.embedded.program import Program
from runtime.embedded.temporal import EmbeddedTemporal
from tests.house import data_folder

Part = EmbeddedPostgres | EmbeddedTemporal | Program


@dataclass
class Stand:
    """Start it, kill what you like by name, bring it back, stop it all at the end.

    environment: variables of API and workers beside those of the stand itself.
    """

    folder: Path
    workers: int = 2
    queue: str = queues.TURNS
    parts: dict[str, Part] = field(default_factory=dict)
    url: str = ""
    key: str = ""
    org_id: UUID | None = None
    environment: dict[str, str] = field(default_factory=dict)

    async def start(self) -> None:
        data_folder(self.folder)
        postgres = EmbeddedPostgres(self.folder / "postgres", free_port())
        temporal = EmbeddedTemporal(self.folder / "temporal", free_port(), None)
        self.parts = {"postgres": postgres, "temporal": temporal}
        postgres.launch()
        temporal.launch()
        await self.ready("postgres", "temporal")
        await migrate(postgres.url)
        await self._make_key(postgres)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.parts["api"] = self._program("api", ["api", "--port", str(port)], port, "/ready")
        for index in range(self.workers):
            metrics = free_port()
            self.parts[f"worker-{index}"] = self._program(
                f"worker-{index}", ["worker", "--queues", self.queue], metrics, "/metrics"
            )
        programs = [name for name, part in self.parts.items() if isinstance(part, Program)]
        for name in programs:
            self.parts[name].launch()
        await self.ready(*programs)

    def kill(self, name: str) -> None:
        """kill -9, as the kernel's out-of-memory killer would."""
        pid = self.parts[name].pid
        os.kill(pid, signal.SIGKILL)

    async def restart(self, name: str) -> None:
        """Bring back what was killed, and return once it serves."""
        part = self.parts[name]
        while part.running():
            await asyncio.sleep(0.01)
        part.launch()
        await self.ready(name)

    async def ready(self, *names: str, seconds: float = 60) -> None:
        async with asyncio.timeout(seconds):
            while not all([await asyncio.to_thread(self.parts[name].ready) for name in names]):
                dead = [name for name in names if not self.parts[name].running()]
                assert not dead, f"{dead} ended by itself; see the logs in {self.folder}"
                await asyncio.sleep(0.05)

    def stop(self) -> None:
        for part in reversed(list(self.parts.values())):
            part.stop()

    @property
    def database_url(self) -> str:
        postgres = self.parts["postgres"]
        assert isinstance(postgres, EmbeddedPostgres)
        return postgres.url

    def _program(self, name: str, arguments: list[str], port: int, path: str) -> Program:
        postgres, temporal = self.parts["postgres"], self.parts["temporal"]
        assert isinstance(postgres, EmbeddedPostgres)
        assert isinstance(temporal, EmbeddedTemporal)
        environment = {
            "DATABASE_URL": postgres.url,
            "TEMPORAL_ADDRESS": temporal.address,
            "EVERTURN_DATA_DIR": str(self.folder),
            "EVERTURN_ALLOW_PRIVATE_TOOL_TARGETS": "true",
            "EVERTURN_LOG_LEVEL": "warning",
            **self.environment,
        }
        if name.startswith("worker"):
            environment["EVERTURN_WORKER_METRICS_PORT"] = str(port)
        log = self.folder / "logs" / f"{name}.log"
        return Program(name, arguments, environment=environment, log=log, host="127.0.0.1", port=port, path=path)

    async def _make_key(self, postgres: EmbeddedPostgres) -> None:
        self.org_id = uuid4()
        database = Database(postgres.url)
        async with database.session(self.org_id) as session:
            await org_store.create_org(session, self.org_id, "Chaos")
            _, self.key = await store.create_key(session, self.org_id, "chaos", permissions.ALL)
        await database.close()
