"""The supervisor keeps what it started running, says why something did not start, and leaves nothing behind."""

import asyncio
import http.client
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import psutil
import pytest

from runtime.embedded.ports import PortTaken, choose, holder, is_free
from runtime.embedded.process import CannotStart, free_port, spawn, stop
from runtime.embedded.state import ProcessMark, StackState, StateFile
from runtime.embedded.supervisor import Child, Supervisor

_TURNS = 400
"""Looks of 50 ms while waiting for another process: 20 s at most, and a fraction of one in practice."""


class FileServer:
    """Python's own file server, as a child."""

    def __init__(self, name: str, folder: Path, *arguments: str) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self.port = free_port()
        self._arguments = arguments or ("-m", "http.server", "--bind", "127.0.0.1", str(self.port))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def launch(self) -> None:
        self._process = spawn([sys.executable, *self._arguments], self.log)

    def ready(self) -> bool:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
            connection.request("HEAD", "/")
            return connection.getresponse().status == 200
        except OSError:
            return False

    def stop(self) -> None:
        if self._process is not None:
            stop(self._process)


@pytest.fixture
async def said() -> list[str]:
    return []


@pytest.fixture
async def supervisor(said: list[str]) -> AsyncIterator[Supervisor]:
    def changed(_children: Sequence[Child]) -> None:
        pass

    supervisor = Supervisor(said.append, changed)
    yield supervisor
    await supervisor.stop()


async def test_a_killed_child_is_started_again_and_said_so(
    supervisor: Supervisor, said: list[str], tmp_path: Path
) -> None:
    child = FileServer("files", tmp_path)
    await supervisor.start([child], 20)
    killed = child.pid
    psutil.Process(killed).kill()
    for _ in range(_TURNS):
        if child.running() and child.pid != killed and child.ready():
            break
        await asyncio.sleep(0.05)
    assert child.pid != killed
    assert child.ready()
    assert said == [f"files (pid {killed}) died; starting it again in 0.5 s. Its log: {child.log}"]


async def test_a_child_that_ends_while_starting_is_a_fault_with_the_end_of_its_log(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    child = FileServer("broken", tmp_path, "-c", "raise SystemExit('no such table')")
    with pytest.raises(CannotStart, match=r"(?s)broken ended while starting\..*no such table"):
        await supervisor.start([child], 20)


async def test_a_child_that_is_never_ready_is_a_fault(supervisor: Supervisor, tmp_path: Path) -> None:
    child = FileServer("deaf", tmp_path, "-c", "import time; time.sleep(60)")
    with pytest.raises(CannotStart, match="deaf was not ready after 0 s"):
        await supervisor.start([child], 0.2)


async def test_stopping_ends_every_child_and_is_idempotent(supervisor: Supervisor, tmp_path: Path) -> None:
    first, second = FileServer("first", tmp_path), FileServer("second", tmp_path)
    await supervisor.start([first], 20)
    await supervisor.start([second], 20)
    await supervisor.stop()
    await supervisor.stop()
    assert not first.running()
    assert not second.running()


def test_children_die_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from runtime.embedded.process import spawn\n"
        "print(spawn([sys.executable, '-c', 'import time; time.sleep(60)'], Path(sys.argv[1])).pid, flush=True)\n"
        "time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, tmp_path / "log"], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    child.wait(timeout=20)


def test_a_taken_port_is_swapped_only_when_nobody_asked_for_it() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not is_free(port)
        assert f"process {psutil.Process().pid} (" in holder(port)
        other, note = choose("the API", asked=None, preferred=port)
        assert other != port
        assert note is not None
        assert note.startswith(f"port {port} is taken by process {psutil.Process().pid}")
        with pytest.raises(PortTaken, match=f"port {port}, asked for the API, is taken by process"):
            choose("the API", asked=port, preferred=8080)
    assert is_free(port)


def test_a_number_that_another_process_got_later_is_not_the_stack(tmp_path: Path) -> None:
    file = StateFile(tmp_path)
    mine = ProcessMark.of(psutil.Process().pid)
    state = StackState(supervisor=mine, api_url="", temporal_address="", temporal_ui_url=None, postgres_port=None)
    file.write(state)
    assert file.running() == state
    stale = mine.model_copy(update={"started": mine.started - 60})
    file.write(state.model_copy(update={"supervisor": stale}))
    assert file.running() is None


def test_a_data_folder_has_one_supervisor(tmp_path: Path) -> None:
    first, second = StateFile(tmp_path), StateFile(tmp_path)
    assert first.acquire()
    assert not second.acquire()
    first.release()
    assert second.acquire()
    second.release()
