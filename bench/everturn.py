"""Everturn itself, through its real HTTP API, with real routing, retrieval, guard and persistence."""

import asyncio
import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from bench.client import Exchange, Heard, Wire
from bench.contender import Script
from bench.servers import Servers
from bench.stamp import INDEX_LETTERS, letters
from cli.demo import seed
from runtime.embedded.process import free_port, spawn, stop, tail
from runtime.settings import child_environment
from sdk.client import Everturn

_QUESTIONS = (
    "When does the cancellation of my account take effect?",
    "How do I set up DKIM for my domain?",
    "Why do my messages bounce?",
    "Where do I find my invoices?",
    "I lost my password, what can I do?",
    "What is a deny list and how do I get off it?",
)


class EverturnContender:
    """`everturn api` and one `everturn worker` for each queue, as in production, on the bench's servers."""

    name = "everturn"
    title = "Everturn"
    note = "route, retrieve, guard and persist included"
    streams = True
    is_peer = True
    database = "bench_everturn"

    def __init__(self) -> None:
        self.port = 0
        self._environment: dict[str, str] = {}
        self._folder = Path()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._metrics_ports: dict[str, int] = {}
        self._key = ""
        self._agents: dict[Script, str] = {}
        self._agent_id = ""
        self._config: dict[str, Any] = {}
        self._asked = 0

    async def start(self, servers: Servers) -> None:
        await servers.create_database(self.database)
        self._folder = servers.folder / "everturn"
        self._folder.mkdir(parents=True)
        self._environment = child_environment(
            EVERTURN_DATA_DIR=str(self._folder),
            DATABASE_URL=servers.url(self.database),
            TEMPORAL_ADDRESS=servers.temporal.address,
        )
        await self._run("migrate")
        key_file = self._folder / "key"
        await self._run("key", "bench", "--save", str(key_file))
        self._key = key_file.read_text().strip()
        self.port = free_port()
        self._spawn("api", "api", "--port", str(self.port))
        self._spawn_worker("turns")
        self._spawn_worker("ingest")
        await self._ready()
        client = self._client()
        try:
            agent_id = await seed(client, lambda _done, _all: None)
        finally:
            await client.close()
        agent = await self._ask("GET", f"/v1/agents/{agent_id}")
        self._config = agent["config"]

    async def stop(self) -> None:
        for process in self._processes.values():
            await asyncio.to_thread(stop, process)

    async def prepare(self, script: Script) -> None:
        """An agent for each script: the demo's own, with its model replaced by the scripted one."""
        if script not in self._agents:
            text = " ".join(letters(index, INDEX_LETTERS) + "{clock}" for index in range(script.tokens))
            delays = {"first_delay_ms": script.first_delay_ms, "token_delay_ms": script.token_delay_ms}
            model = {"provider": "scripted", "script": {"text": text, **delays}}
            new = {"name": f"bench-{len(self._agents)}", "config": self._config | {"model": model}}
            self._agents[script] = (await self._ask("POST", "/v1/agents", new))["id"]
        self._agent_id = self._agents[script]

    async def conversation(self) -> str:
        made = await self._ask("POST", "/v1/conversations", {"agent_id": self._agent_id})
        return str(made["id"])

    def turn(self, conversation: str, script: Script) -> Exchange:
        self._asked += 1
        # A number makes each question new: one that was asked before would find its vector in the cache.
        question = f"{_QUESTIONS[self._asked % len(_QUESTIONS)]} (case {self._asked})"
        body = json.dumps({"text": question}).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._key}"}
        return Exchange.of("POST", f"/v1/conversations/{conversation}/messages", WIRE, body=body, headers=headers)

    def resume(self, conversation: str, heard: Heard) -> Exchange | None:
        """Not needed when a worker dies: the reader is connected to the API."""
        return None

    def ask_again(self, conversation: str, script: Script) -> Exchange | None:
        return None

    @property
    def pids(self) -> Mapping[str, int]:
        return {name: process.pid for name, process in self._processes.items()}

    async def kill(self) -> bool:
        process = self._processes["worker turns"]
        process.kill()
        await asyncio.to_thread(process.wait)
        return True

    async def revive(self) -> None:
        self._spawn_worker("turns")
        await self._worker_ready("turns")

    async def steps(self) -> dict[str, dict[str, float]]:
        """Mean milliseconds and count of each step so far, from the product's own metrics."""
        sums: dict[str, dict[str, float]] = {}
        for port in [self.port, *self._metrics_ports.values()]:
            text = await asyncio.to_thread(_fetch, f"http://127.0.0.1:{port}/metrics")
            for family in text_string_to_metric_families(text):
                if family.name != "everturn_turn_seconds":
                    continue
                for sample in family.samples:
                    kind = sample.name.removeprefix("everturn_turn_seconds_")
                    if kind in ("sum", "count"):
                        entry = sums.setdefault(sample.labels["step"], {"sum": 0.0, "count": 0.0})
                        entry[kind] += sample.value
        return {
            step: {"mean_ms": 1000 * entry["sum"] / entry["count"], "count": entry["count"]}
            for step, entry in sums.items()
            if entry["count"]
        }

    def _client(self) -> Everturn:
        return Everturn(f"http://127.0.0.1:{self.port}", self._key)

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        answer: dict[str, Any] = await asyncio.to_thread(self._ask_now, method, path, body)
        return answer

    def _ask_now(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    async def _run(self, *arguments: str) -> None:
        log = self._folder / f"{arguments[0]}.log"
        process = spawn([sys.executable, "-m", "cli.main", *arguments], log, env=self._environment)
        if await asyncio.to_thread(process.wait):
            raise RuntimeError(f"everturn {arguments[0]} failed:\n{tail(log, 30)}")

    def _spawn(self, name: str, *arguments: str, **environment: str) -> None:
        log = self._folder / f"{name}.log"
        command = [sys.executable, "-m", "cli.main", *arguments]
        env = self._environment | environment
        self._processes[name] = spawn(command, log, parent_death_signal=signal.SIGKILL, env=env)

    def _spawn_worker(self, queue: str) -> None:
        port = self._metrics_ports[queue] = free_port()
        self._spawn(f"worker {queue}", "worker", "--queues", queue, EVERTURN_WORKER_METRICS_PORT=str(port))

    async def _ready(self) -> None:
        await self._answers("api", f"http://127.0.0.1:{self.port}/ready")
        for queue in self._metrics_ports:
            await self._worker_ready(queue)

    async def _worker_ready(self, queue: str) -> None:
        await self._answers(f"worker {queue}", f"http://127.0.0.1:{self._metrics_ports[queue]}/metrics")

    async def _answers(self, name: str, url: str) -> None:
        for _ in range(1200):
            if self._processes[name].poll() is not None:
                break
            try:
                await asyncio.to_thread(_fetch, url)
            except (urllib.error.URLError, OSError):
                await asyncio.sleep(0.05)
            else:
                return
        raise RuntimeError(f"everturn {name} did not start:\n{tail(self._folder / f'{name}.log', 30)}")


def _fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=2) as answer:
        return str(answer.read().decode())


def _text(data: bytes) -> str:
    return str(json.loads(data)["text"]) if b'"reply.delta"' in data else ""


def _ends(data: bytes) -> bool:
    return b'"turn.completed"' in data or b'"turn.failed"' in data


def _remembers(data: bytes) -> dict[str, str]:
    if b'"turn.failed"' in data:
        return {"failed": data.decode()}
    return {"rewound": data.decode()} if b'"reply.rewind"' in data else {}


WIRE = Wire(_text, _ends, _remembers)
