"""The whole product on one machine: Postgres, Temporal, API and workers over one data folder.

Starts, watches and stops them. Seeding and talking to people is the command line's work (`cli.up`).
"""

import asyncio
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from contracts import queues
from db.schema import is_current
from runtime.embedded.ports import choose
from runtime.embedded.postgres import EmbeddedPostgres
from runtime.embedded.process import CannotStart, free_port, spawn, stop, tail
from runtime.embedded.program import Program
from runtime.embedded.state import ProcessMark, StackState, StateFile
from runtime.embedded.supervisor import Child, Supervisor
from runtime.embedded.temporal import EmbeddedTemporal
from runtime.settings import Settings, child_environment

LOOPBACK = "127.0.0.1"
POSTGRES_PORT = 5433
TEMPORAL_PORT = 7233
TEMPORAL_UI_PORT = 8233

_SERVERS_SECONDS = 60
"""A first start of Postgres and Temporal takes 2 s on a quiet machine; this is a loaded one with a slow disk."""

_PROGRAMS_SECONDS = 120
"""The first worker of a data folder converts the embedding model once: 8 s on a quiet core."""

_LEFTOVER_SECONDS = 15
"""How long children of a killed supervisor may take to end; Postgres' fast shutdown is the slowest."""


class Stack:
    """One run of the product. `start`, then `wait`, and `stop` in any case.

    say is told, in sentences, what a person should know while it happens.
    """

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._say = say
        self._data = settings.data_dir.resolve()
        self._logs = self._data / "logs"
        self._file = StateFile(self._data)
        self._supervisor = Supervisor(say, self._record)
        self._environment = {"EVERTURN_DATA_DIR": str(self._data)}
        self._state: StackState | None = None

    @property
    def key_file(self) -> Path:
        return self._data / "demo-key"

    def take_folder(self) -> bool:
        """False when another stack runs over the same data folder."""
        return self._file.acquire()

    async def start(self) -> StackState:
        """Everything up and ready. Raises CannotStart, and leaves what runs to `stop`."""
        await self._end_leftovers()
        self._logs.mkdir(parents=True, exist_ok=True)
        for log in self._logs.glob("*.log"):
            # One run, one file; the run before is kept for the question "what was it that broke?".
            log.replace(log.with_suffix(".log.1"))
        temporal, postgres = self._servers()
        # The slower one first: Temporal gets ready while Postgres starts and the schema is brought up to date.
        await asyncio.gather(self._supervisor.start(temporal, _SERVERS_SECONDS), self._prepare_database(postgres))
        self._environment["TEMPORAL_ADDRESS"] = self.state.temporal_address
        await self._supervisor.start(self._programs(), _PROGRAMS_SECONDS)
        return self.state

    async def _prepare_database(self, postgres: Sequence[EmbeddedPostgres]) -> None:
        await self._supervisor.start(postgres, _SERVERS_SECONDS)
        for server in postgres:
            self._environment["DATABASE_URL"] = server.url
        # Without TEMPORAL_ADDRESS yet: the embedded Temporal needs no registration, an external one is inherited.
        if self._settings.temporal_address is not None or not await self._schema_is_current():
            await self.run("migrate", "migrate")
        if not self.key_file.exists():
            await self.make_key()

    async def _schema_is_current(self) -> bool:
        url = self._environment.get("DATABASE_URL", self._settings.database_url)
        return url is not None and await is_current(url)

    @property
    def state(self) -> StackState:
        if self._state is None:
            raise RuntimeError("the stack is not started")
        return self._state

    async def make_key(self) -> None:
        """A new organisation "Demo" with a key in `key_file`, mode 0600."""
        await self.run("key", "key", "Demo", "--save", str(self.key_file))

    async def run(self, name: str, *arguments: str) -> None:
        """One command of ours to its end, over this stack. Raises CannotStart with the end of its log."""
        log = self._logs / f"{name}.log"
        command = [sys.executable, "-m", "cli.main", *arguments]
        process = spawn(command, log, env=child_environment(**self._environment))
        try:
            while process.poll() is None:  # noqa: ASYNC110  the end of a process is no event of the loop
                await asyncio.sleep(0.02)
        finally:
            stop(process)
        if process.returncode != 0:
            raise CannotStart(f"`everturn {arguments[0]}` failed. The end of {log}:\n{tail(log)}")

    def mark_ready(self) -> None:
        """From now on a second `everturn up` finds a stack that answers."""
        self._state = self.state.model_copy(update={"ready": True})
        self._file.write(self._state)

    async def wait(self) -> None:
        """For ever; children that die are started again."""
        await self._supervisor.wait()

    async def stop(self) -> None:
        """Stop all that was started, and nothing else. Idempotent."""
        await self._supervisor.stop()
        self._file.clear()
        self._file.release()

    def _servers(self) -> tuple[list[EmbeddedTemporal], list[EmbeddedPostgres]]:
        """None of a kind where an external server stands in."""
        temporal, postgres = self._temporal(), self._postgres()
        settings = self._settings
        explicit = settings.http_port if "http_port" in settings.model_fields_set else None
        self._http_port = self._port("the API", explicit, settings.http_port, settings.http_host)
        anywhere = settings.http_host in {"0.0.0.0", "::"}  # noqa: S104  compared, not bound
        self._http_host = LOOPBACK if anywhere else settings.http_host
        self._state = StackState(
            supervisor=ProcessMark.of(psutil.Process().pid),
            api_url=f"http://{self._http_host}:{self._http_port}",
            temporal_address=temporal.address if temporal else str(settings.temporal_address),
            temporal_ui_url=f"http://{LOOPBACK}:{temporal.ui_port}" if temporal else None,
            postgres_port=postgres.port if postgres else None,
        )
        return [temporal] if temporal else [], [postgres] if postgres else []

    def _temporal(self) -> EmbeddedTemporal | None:
        settings = self._settings
        if settings.temporal_address is not None:
            return None
        return EmbeddedTemporal(
            self._data / "temporal",
            self._port("Temporal", settings.temporal_port, TEMPORAL_PORT),
            self._port("the Temporal UI", settings.temporal_ui_port, TEMPORAL_UI_PORT),
            namespace=settings.temporal_namespace,
            log=self._logs / "temporal.log",
        )

    def _postgres(self) -> EmbeddedPostgres | None:
        if self._settings.database_url is not None:
            return None
        port = self._port("Postgres", self._settings.postgres_port, POSTGRES_PORT)
        return EmbeddedPostgres(self._data / "postgres", port, log=self._logs / "postgres.log")

    def _port(self, name: str, asked: int | None, preferred: int, host: str = LOOPBACK) -> int:
        port, note = choose(name, asked=asked, preferred=preferred, host=host)
        if note:
            self._say(note)
        return port

    def _programs(self) -> list[Child]:
        api = Program(
            "api",
            ["api", "--host", self._settings.http_host, "--port", str(self._http_port)],
            environment=self._environment,
            log=self._logs / "api.log",
            host=self._http_host,
            port=self._http_port,
            path="/readyz",
        )
        return [api, *(self._worker(queue) for queue in queues.ALL)]

    def _worker(self, queue: str) -> Child:
        port = free_port()
        return Program(
            f"worker-{queue}",
            ["worker", "--queues", queue],
            environment=self._environment | {"EVERTURN_WORKER_METRICS_PORT": str(port), "EVERTURN_HTTP_HOST": LOOPBACK},
            log=self._logs / f"worker-{queue}.log",
            host=LOOPBACK,
            port=port,
            path="/metrics",
        )

    def _record(self, children: Sequence[Child]) -> None:
        marks: dict[str, ProcessMark] = {}
        for child in children:
            try:
                marks[child.name] = ProcessMark.of(child.pid)
            except psutil.NoSuchProcess:
                continue
        self._state = self.state.model_copy(update={"children": marks})
        self._file.write(self._state)

    async def _end_leftovers(self) -> None:
        """Children of a supervisor that was killed are ending by themselves; wait for them.

        They hold the data folder, so nothing can start before they are gone.
        """
        state = self._file.read()
        marks = state.children if state else {}
        for _ in range(_LEFTOVER_SECONDS * 10):
            left = {name: mark.pid for name, mark in marks.items() if mark.alive()}
            if not left:
                return
            await asyncio.sleep(0.1)
        names = ", ".join(f"{name} (pid {pid})" for name, pid in left.items())
        raise CannotStart(f"left over from an earlier run and still alive: {names}. End them and try again.")
