"""What runs over a data folder: written by `everturn up`, read by every other command."""

import fcntl
from pathlib import Path
from typing import IO

import psutil
from pydantic import BaseModel, ValidationError

# psutil derives a start time from the boot time, which clock changes move by some hundredths.
_START_TOLERANCE_SECONDS = 1.0


class ProcessMark(BaseModel):
    """A process that cannot be mistaken for a later one with the same number."""

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> "ProcessMark":
        """Raises psutil.NoSuchProcess."""
        return cls(pid=pid, started=psutil.Process(pid).create_time())

    def alive(self) -> bool:
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < _START_TOLERANCE_SECONDS
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


class StackState(BaseModel):
    """ready: the demo question can be asked. Addresses are as a client on this machine uses them.

    temporal_ui_url and postgres_port are None where an external server stands in.
    """

    supervisor: ProcessMark
    children: dict[str, ProcessMark] = {}
    api_url: str
    temporal_address: str
    temporal_ui_url: str | None
    postgres_port: int | None
    ready: bool = False

    def alive(self) -> bool:
        return self.supervisor.alive()


class StateFile:
    """`stack.json` of a data folder, and the lock that one supervisor holds over the folder."""

    def __init__(self, data_dir: Path) -> None:
        self._file = data_dir / "stack.json"
        self._lock_file = data_dir / "stack.lock"
        self._lock: IO[bytes] | None = None

    def read(self) -> StackState | None:
        """What was written last, alive or not; None when nothing readable is there."""
        try:
            return StackState.model_validate_json(self._file.read_bytes())
        except (FileNotFoundError, ValidationError):
            return None

    def running(self) -> StackState | None:
        """The stack that runs over this folder now."""
        state = self.read()
        return state if state is not None and state.alive() else None

    def write(self, state: StackState) -> None:
        """Replaced in one step, so that a reader never sees half of it."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(state.model_dump_json(indent=2))
        fresh.rename(self._file)

    def clear(self) -> None:
        self._file.unlink(missing_ok=True)

    def acquire(self) -> bool:
        """Take the folder until this process ends, however it ends. False when another has it."""
        self._lock_file.parent.mkdir(parents=True, exist_ok=True)
        lock = self._lock_file.open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        self._lock = lock
        return True

    def release(self) -> None:
        """Let another have the folder. Idempotent."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None
