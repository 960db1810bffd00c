"""A process of our own (`everturn api`, `everturn worker`) as a child of the stack."""

import http.client
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from runtime.embedded.process import spawn, stop
from runtime.settings import child_environment


class Program:
    """Started with the interpreter that runs now; ready once its own HTTP endpoint answers 200."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str],
        log: Path,
        host: str,
        port: int,
        path: str,
    ) -> None:
        self.name = name
        self.log = log
        self._arguments = arguments
        self._environment = environment
        self._address = (host, port)
        self._path = path
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError(f"{self.name} is not started")
        return self._process.pid

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def launch(self) -> None:
        """Start without waiting. From the main thread: it dies with the thread."""
        command = [sys.executable, "-m", "cli.main", *self._arguments]
        self._process = spawn(command, self.log, env=child_environment(**self._environment))

    def ready(self) -> bool:
        connection = http.client.HTTPConnection(*self._address, timeout=1)
        try:
            connection.request("GET", self._path)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def stop(self) -> None:
        """Idempotent."""
        if self._process is not None:
            stop(self._process)
