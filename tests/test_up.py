"""`everturn up` gives a stranger a cited answer, keeps it running, and leaves nothing behind when it ends."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from runtime.embedded.state import StackState, StateFile
from tests.house import data_folder

pytestmark = pytest.mark.timeout(600)
_PATIENCE_SECONDS = 300


def environment(folder: Path, **more: str) -> dict[str, str]:
    """As a stranger has it: none of our settings but the folder."""
    ours = re.compile(r"EVERTURN_|DATABASE_|TEMPORAL_|OPENAI_|ANTHROPIC_|OTEL_")
    plain = {name: value for name, value in os.environ.items() if not ours.match(name)}
    return {**plain, "EVERTURN_DATA_DIR": str(folder), "COLUMNS": "200", **more}


def everturn(folder: Path, *arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        capture_output=True,
        text=True,
        env=environment(folder, **more),
        timeout=_PATIENCE_SECONDS,
        check=False,
    )


class Up:
    """A running `everturn up` and what it printed."""

    def __init__(self, folder: Path) -> None:
        self._log = folder.parent / f"{folder.name}.out"
        with self._log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cli.main", "up"], stdout=output, stderr=output, env=environment(folder)
            )

    @property
    def said(self) -> str:
        return self._log.read_text()

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while text not in self.said:
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.05)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("up") / "data"
    data_folder(folder)
    return folder


@pytest.fixture(scope="module")
def first_start(folder: Path) -> "subprocess.CompletedProcess[str]":
    return everturn(folder, "up", "--once")


@pytest.fixture(scope="module")
def up(folder: Path, first_start: object) -> Iterator[Up]:
    """The second start, over what the first one left."""
    assert first_start
    up = Up(folder)
    try:
        up.wait_for("Stop it")
        yield up
    finally:
        up.process.terminate()
        up.process.wait(60)


def state(folder: Path) -> StackState:
    state = StateFile(folder).running()
    assert state is not None
    return state


def test_once_shows_a_cited_answer_and_leaves_nothing_running(
    first_start: "subprocess.CompletedProcess[str]", folder: Path
) -> None:
    assert first_start.returncode == 0, first_start.stdout + first_start.stderr
    assert "first day of the next calendar month" in first_start.stdout
    assert re.search(r"\[1\] Cancel", first_start.stdout)
    assert StateFile(folder).running() is None
    assert over(folder) == []


def test_the_key_is_for_its_owner_only(first_start: object, folder: Path) -> None:
    assert first_start
    assert (folder / "demo-key").stat().st_mode & 0o777 == 0o600


def test_a_second_start_answers_and_says_where_everything_is(up: Up, folder: Path) -> None:
    assert "first day of the next calendar month" in up.said
    running = state(folder)
    assert f"{running.api_url}/docs" in up.said
    assert str(running.temporal_ui_url) in up.said
    assert set(running.children) == {"postgres", "temporal", "api", "worker-turns", "worker-ingest"}


def test_another_up_finds_the_first_and_leaves_it_running(up: Up, folder: Path) -> None:
    other = everturn(folder, "up", "--once")
    assert other.returncode == 0, other.stdout + other.stderr
    assert f"Already running as pid {up.process.pid}" in other.stdout
    assert up.process.poll() is None


def test_chat_answers_once_and_cites(up: Up, folder: Path) -> None:
    asked = everturn(folder, "chat", "How do I disable two-factor authentication?")
    assert asked.returncode == 0, asked.stderr
    assert "[1]" in asked.stdout
    missing = everturn(folder, "chat", "Hello", "--agent", "nobody")
    assert (missing.returncode, missing.stderr) == (1, "everturn: there is no agent named nobody\n")


def test_ingest_waits_until_ready_and_says_why_a_file_failed(up: Up, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "parrots.md").write_text("# Parrots\n\nA kakapo cannot fly and may live for ninety years.\n")
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing of use\n")
    done = everturn(folder, "ingest", str(tmp_path), "--collection", "birds")
    assert done.returncode == 1
    assert re.search(r"failed .*broken\.pdf: document_unreadable: ", done.stdout)
    assert "1 of 2 documents are ready in birds." in done.stdout
    nothing = everturn(folder, "ingest", str(folder / "logs"), "--collection", "birds")
    assert nothing.returncode == 1
    assert nothing.stderr.startswith("everturn: nothing to read there")


def test_doctor_finds_the_running_stack_healthy(up: Up, folder: Path) -> None:
    seen = everturn(folder, "doctor")
    assert seen.returncode == 0, seen.stdout
    assert "fault" not in seen.stdout
    assert f"running as pid {up.process.pid}" in seen.stdout


def test_a_killed_worker_is_started_again_and_answers(up: Up, folder: Path) -> None:
    killed = state(folder).children["worker-turns"].pid
    psutil.Process(killed).kill()
    up.wait_for(f"worker-turns (pid {killed}) died; starting it again")
    asked = everturn(folder, "chat", "What is an SPF record?")
    assert asked.returncode == 0, asked.stderr
    assert state(folder).children["worker-turns"].pid != killed


def test_a_port_that_was_asked_for_and_is_taken_is_named_with_its_holder(up: Up, folder: Path, tmp_path: Path) -> None:
    port = state(folder).api_url.rpartition(":")[2]
    refused = everturn(tmp_path / "other", "up", "--once", EVERTURN_HTTP_PORT=port)
    assert refused.returncode == 1
    api = state(folder).children["api"].pid
    assert f"everturn: port {port}, asked for the API, is taken by process {api} (" in refused.stderr
    assert over(tmp_path / "other") == []


def test_an_interrupt_while_starting_leaves_nothing(tmp_path: Path) -> None:
    interrupted = Up(tmp_path / "data")
    while not over(tmp_path / "data"):
        assert interrupted.process.poll() is None, interrupted.said
        time.sleep(0.02)
    interrupted.process.send_signal(signal.SIGINT)
    assert interrupted.process.wait(60) == 0
    assert over(tmp_path / "data") == []


def test_down_stops_all_that_up_started_and_nothing_else(up: Up, folder: Path) -> None:
    children = state(folder).children
    stopped = everturn(folder, "down")
    assert (stopped.returncode, stopped.stdout) == (0, "Stopped.\n")
    assert up.process.wait(60) == 0
    assert {name for name, mark in children.items() if mark.alive()} == set()
    assert over(folder) == []
    again = everturn(folder, "down")
    assert (again.returncode, again.stdout.startswith("Nothing runs over")) == (0, True)


def over(folder: Path) -> list[str]:
    """Processes that still work over a data folder, ours or a server's."""
    found = []
    for process in psutil.process_iter():
        try:
            command = " ".join(process.cmdline())
            place = process.environ().get("EVERTURN_DATA_DIR", "")
        except psutil.Error:
            continue
        if str(folder) in command or (place == str(folder) and " up" not in command):
            found.append(command)
    return found
