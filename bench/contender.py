"""What the bench asks of everyone it measures, and the peers that answer through servers of their own environment."""

import asyncio
import json
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, urlencode
from uuid import uuid4

import psutil

from bench.client import CONTRACT, Exchange, Heard, Wire
from bench.environment import HERE, python_of
from bench.servers import Servers
from runtime.embedded.process import free_port, spawn, stop, tail


@dataclass(frozen=True)
class Script:
    """What the fake model says: token n at first_delay + n * token_delay."""

    first_delay_ms: float
    token_delay_ms: float
    tokens: int

    def json(self) -> str:
        return json.dumps(asdict(self))


class Contender(Protocol):
    """Somebody who is measured.

    streams: there is a reply to stream, and not only a turn to run. is_peer: not the yardstick.
    """

    name: str
    title: str
    note: str
    streams: bool
    is_peer: bool
    port: int

    async def start(self, servers: Servers) -> None: ...
    async def stop(self) -> None: ...
    async def prepare(self, script: Script) -> None:
        """Before the clock runs: whatever a script needs to exist."""
        ...

    async def conversation(self) -> str:
        """A new one, before the clock runs."""
        ...

    def turn(self, conversation: str, script: Script) -> Exchange: ...
    def resume(self, conversation: str, heard: Heard) -> Exchange | None:
        """Go on where `heard` was cut off; None: this peer cannot."""
        ...

    def ask_again(self, conversation: str, script: Script) -> Exchange | None:
        """For one that does not finish by itself: what a caller sends to have it finished."""
        ...

    @property
    def database(self) -> str: ...
    @property
    def pids(self) -> Mapping[str, int]: ...
    async def kill(self) -> bool:
        """kill -9 the process that runs the turn. True: readers were connected to another process."""
        ...

    async def revive(self) -> None:
        """Start it again; returns once it takes work."""
        ...


class Peer:
    """A peer in a folder of its own: `server.py`, and a worker process beside it when it has one."""

    def __init__(
        self,
        folder: str,
        title: str,
        note: str,
        *,
        streams: bool = True,
        has_worker: bool = False,
        resumes: bool = False,
        must_be_asked: bool = False,
        is_peer: bool = True,
        arguments: Sequence[str] = (),
        name: str | None = None,
    ) -> None:
        self.folder = folder
        self.name = name or folder
        self.title = title
        self.note = note
        self.streams = streams
        self._has_worker = has_worker
        self._resumes = resumes
        self._must_be_asked = must_be_asked
        self.is_peer = is_peer
        self._arguments = arguments
        self.port = 0
        self.database = f"bench_{self.name}"
        self._servers: Servers | None = None
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    async def start(self, servers: Servers) -> None:
        self._servers = servers
        await servers.create_database(self.database)
        self.port = free_port()
        if self._has_worker:
            self._spawn("worker", "--worker")
        self._spawn("server")
        await self._healthy()

    async def stop(self) -> None:
        for process in self._processes.values():
            await asyncio.to_thread(stop, process)

    async def prepare(self, script: Script) -> None:
        """Peers take the script with the message."""

    async def conversation(self) -> str:
        return str(uuid4())

    def turn(self, conversation: str, script: Script) -> Exchange:
        body = json.dumps({"conversation": conversation, "text": script.json()}).encode()
        return Exchange.of("POST", "/turn", CONTRACT, body=body, headers={"Content-Type": "application/json"})

    def resume(self, conversation: str, heard: Heard) -> Exchange | None:
        if not self._resumes:
            return None
        query = urlencode({"conversation": conversation, "after": len(heard.tokens)})
        return Exchange.of("GET", f"/resume?{query}", CONTRACT)

    def ask_again(self, conversation: str, script: Script) -> Exchange | None:
        if not self._must_be_asked:
            return None
        body = json.dumps({"conversation": conversation, "text": ""}).encode()
        return Exchange.of("POST", "/turn", CONTRACT, body=body, headers={"Content-Type": "application/json"})

    @property
    def pids(self) -> dict[str, int]:
        return {name: process.pid for name, process in self._processes.items()}

    async def kill(self) -> bool:
        name = "worker" if self._has_worker else "server"
        process = self._processes[name]
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
        process.kill()
        await asyncio.to_thread(process.wait)
        return self._has_worker

    async def revive(self) -> None:
        if self._has_worker:
            self._spawn("worker", "--worker")
        else:
            self._spawn("server")
            await self._healthy()

    def _spawn(self, name: str, *more: str) -> None:
        assert self._servers is not None
        folder = HERE / "peers" / self.folder
        command: list[str | Path] = [python_of(self.folder), folder / "server.py", *self._arguments, *more]
        command += ["--port", str(self.port), "--queue", f"bench-{self.name}"]
        command += ["--database-url", self._servers.url(self.database), "--temporal", self._servers.temporal.address]
        environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(HERE / "peers"), "HOME": str(self._servers.folder)}
        self._log = self._servers.folder / f"{self.name}.{name}.log"
        self._processes[name] = spawn(command, self._log, parent_death_signal=signal.SIGKILL, env=environment)

    async def _healthy(self) -> None:
        for _ in range(600):
            if self._processes["server"].poll() is not None:
                break
            if await asyncio.to_thread(_answers, self.port):
                return
            await asyncio.sleep(0.05)
        raise RuntimeError(f"{self.name} did not start:\n{tail(self._log, 30)}")


class AgnoPeer(Peer):
    """Driven through AgentOS' own API, because its durable queue lives behind that."""

    def __init__(self, name: str, title: str, note: str, *, durable: bool) -> None:
        super().__init__("agno_os", title, note, name=name, resumes=durable, arguments=["--durable"] if durable else [])
        self._durable = durable

    def turn(self, conversation: str, script: Script) -> Exchange:
        form = {"message": script.json(), "stream": "true", "session_id": conversation}
        form |= {"background": "true"} if self._durable else {}
        return _form("/agents/bench/runs", form)

    def resume(self, conversation: str, heard: Heard) -> Exchange | None:
        if not self._durable or "run" not in heard.extra:
            return None
        form = {"session_id": conversation, "last_event_index": heard.extra.get("index", "0")}
        return _form(f"/agents/bench/runs/{quote(heard.extra['run'])}/resume", form)


def _form(path: str, fields: Mapping[str, str]) -> Exchange:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return Exchange.of("POST", path, AGNO, body=urlencode(fields).encode(), headers=headers)


def _agno_text(data: bytes) -> str:
    event = json.loads(data)
    return str(event.get("content") or "") if event.get("event") == "RunContent" else ""


def _agno_ends(data: bytes) -> bool:
    return b'"RunCompleted"' in data


def _agno_place(data: bytes) -> dict[str, str]:
    event = json.loads(data)
    return {
        name: str(event[key])
        for name, key in (("run", "run_id"), ("index", "event_index"))
        if event.get(key) is not None
    }


AGNO = Wire(_agno_text, _agno_ends, _agno_place)


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


PEERS: tuple[Peer, ...] = (
    Peer("trivial", "the bench's own client, against a trivial server", "what measuring costs", is_peer=False),
    Peer(
        "bare_temporal",
        "six no-op activities, bare Temporal workflow",
        "no model, no stream, nothing stored",
        streams=False,
        has_worker=True,
    ),
    Peer("temporal_harness", "temporal-agent-harness", "its defaults", has_worker=True),
    Peer("dbos_app", "DBOS with FastAPI and its streams", "three steps a turn", resumes=True),
    AgnoPeer("agno_durable", "Agno AgentOS, durable queue", "two attempts", durable=True),
    AgnoPeer("agno_plain", "Agno AgentOS, plain", "not durable", durable=False),
    Peer("langgraph_app", "LangGraph library, Postgres checkpoints", "not durable by itself", must_be_asked=True),
)
