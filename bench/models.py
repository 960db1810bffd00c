"""`python -m bench.models`: what router and ledger add to a call, beside the plain SDK and the routers of others.

All against the same local server that answers at once, in the same run, call by call in turn with the plain SDK.
Ours reserves and settles every call in Postgres; the others keep no books. Writes build/models.json.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import openai
import uvloop

from bench.environment import HERE, install, python_of
from db.engine import Database
from db.migrate import migrate
from domain.knowledge.e5 import E5Embedder
from domain.llm.model import ChatMessage, ModelRequest, Piece, Provider
from domain.llm.provider_config import ProviderConfig
from domain.llm.providers import Providers, configured_providers
from domain.models.breaker import Breakers
from domain.models.call import CallPlace
from domain.models.ledger import Ledger
from domain.models.limits import Limits
from domain.models.policies import Applied, Policies
from domain.models.policy import ModelPolicy
from domain.models.price_book import PriceBook, Seller
from domain.models.router import ModelRouter, Ruling
from domain.models.trail import Trail
from runtime.embedded.postgres import EmbeddedPostgres
from runtime.embedded.process import free_port
from runtime.telemetry import Telemetry

QUESTION = "Where is the answer?"
WARM_UP = 30
GOAL_P50_MS, GOAL_P95_MS = 1.0, 4.0
LITELLM = "LiteLLM (its own figures, not run here)"
POLICY = {
    "tasks": {"reply": [{"provider": "near", "model": "m"}, {"provider": "near", "model": "n"}]},
    "regions": ["here"],
    "max_cost_micros": 1_000_000,
}


class Timed:
    """The provider, and how long a call was inside it: the rest is ours. asked: when the call reached it."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self.name, self.default_model = provider.name, provider.default_model
        self.seconds = 0.0
        self.asked = 0.0

    async def stream(self, request: ModelRequest) -> AsyncIterator[Piece]:
        self.asked = time.perf_counter()
        pieces = self._provider.stream(request)
        while True:
            started = time.perf_counter()
            piece = await anext(pieces, None)
            self.seconds += time.perf_counter() - started
            if piece is None:
                return
            yield piece

    async def close(self) -> None:
        await self._provider.close()


class Ours:
    """Router and ledger as a worker has them."""

    def __init__(self, database: Database, org: UUID, url: str) -> None:
        config = ProviderConfig(kind="openai_compatible", base_url=url, model="m", region="here", max_concurrent=64)
        made = configured_providers(E5Embedder(HERE.parent / "build" / "models"), {"near": config})
        self.timed = Timed(made.get("near"))
        providers = Providers({"near": self.timed}, {"near": config}, default="near")
        book = PriceBook(database, lambda _name: Seller("openai_compatible"))
        limits, self._breakers = Limits(providers.limits), Breakers(database)
        self._router = ModelRouter(
            providers, Policies(database), self._breakers, limits, Ledger(database, book), Telemetry(None)
        )
        self._org = org
        self._ruling = Ruling(Applied(ModelPolicy.model_validate(POLICY), "bench", uuid4()), "reply", None, 99)

    async def call(self) -> tuple[float, float]:
        """Milliseconds outside the provider (choosing, reserving, settling, handing pieces on), and those of them
        before it is asked; the log commits the last words while the ledger settles."""
        request = ModelRequest("m", "Be kind.", (ChatMessage("user", QUESTION),), max_output_tokens=100)
        self.timed.seconds = 0.0
        started = time.perf_counter()
        trail = Trail(CallPlace(self._org, f"bench-{uuid4()}", "reply"), attempt=1, calls=0)
        async with aclosing(self._router.stream(trail, self._ruling, request)) as pieces:
            async for _ in pieces:
                pass
        inside = time.perf_counter() - started - self.timed.seconds
        return inside * 1000, (self.timed.asked - started) * 1000

    async def close(self) -> None:
        await self._breakers.close()
        await self.timed.close()


async def plain(client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="m",
        messages=[{"role": "user", "content": QUESTION}],
        stream=True,
        stream_options={"include_usage": True},
    )
    async for _ in stream:
        pass


async def measure_ours(database: Database, org: UUID, url: str, calls: int) -> dict[str, list[float]]:
    ours, client = Ours(database, org, url), openai.AsyncOpenAI(base_url=url, api_key="k", max_retries=0)
    times: dict[str, list[float]] = {"floor": [], "router": [], "inside": [], "before": []}
    for number in range(calls + WARM_UP):
        started = time.perf_counter()
        await plain(client)
        between = time.perf_counter()
        inside, before = await ours.call()
        if number >= WARM_UP:
            times["floor"].append((between - started) * 1000)
            times["router"].append((time.perf_counter() - between) * 1000)
            times["inside"].append(inside)
            times["before"].append(before)
    await ours.close()
    await client.close()
    return times


@contextmanager
def model_server() -> Iterator[str]:
    server = subprocess.Popen([sys.executable, "-m", "bench.model_server"], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
    finally:
        server.terminate()
        server.wait()


@asynccontextmanager
async def database() -> AsyncIterator[tuple[Database, UUID]]:
    """A Postgres that keeps what it commits, as in production, with one organisation."""
    with tempfile.TemporaryDirectory() as folder:
        postgres = EmbeddedPostgres(Path(folder), free_port())
        await asyncio.to_thread(postgres.start)
        try:
            await migrate(postgres.url)
            org = uuid4()
            connection = await asyncpg.connect(postgres.url)
            await connection.execute("INSERT INTO orgs (id, name) VALUES ($1, 'Bench')", org)
            await connection.close()
            opened = Database(postgres.url)
            await opened.open()
            yield opened, org
            await opened.close()
        finally:
            await asyncio.to_thread(postgres.stop)


def at(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def row(times: dict[str, list[float]]) -> dict[str, float]:
    """added: above the plain SDK's median in the same process."""
    floor, router = at(times["floor"], 0.5), times["router"]
    figures = {
        "floor_p50_ms": floor,
        "floor_p95_ms": at(times["floor"], 0.95),
        "added_p50_ms": at(router, 0.5) - floor,
        "added_p95_ms": at(router, 0.95) - floor,
    }
    for part in ("inside", "before"):
        if part in times:
            figures |= {f"{part}_p50_ms": at(times[part], 0.5), f"{part}_p95_ms": at(times[part], 0.95)}
    return {name: round(value, 3) for name, value in figures.items()}


async def run(calls: int) -> dict[str, Any]:
    rows: dict[str, Any] = {}
    with model_server() as url:
        async with database() as (opened, org):
            rows["everturn router + ledger"] = row(await measure_ours(opened, org, url, calls))
        script = HERE / "peers" / "model_routers" / "measure.py"
        peers = await asyncio.create_subprocess_exec(
            python_of("model_routers"), script, url, str(calls), stdout=subprocess.PIPE
        )
        printed, _ = await peers.communicate()
        rows |= {name: row(times) for name, times in json.loads(printed).items()}
    rows[LITELLM] = {"added_p50_ms": 2.0, "added_p95_ms": 8.0}
    return {"calls": calls, "load_before": os.getloadavg()[0], "rows": rows}


def show(rows: dict[str, dict[str, float]]) -> None:
    columns = [f"{part}_p{share}_ms" for part in ("floor", "added", "inside", "before") for share in (50, 95)]
    print(f"{'':44}" + "".join(f"{name:>15}" for name in columns))
    for name, figures in rows.items():
        print(f"{name:44}" + "".join(f"{figures[one]:15.2f}" if one in figures else f"{'-':>15}" for one in columns))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=1000)
    calls = parser.parse_args().calls
    install("model_routers")
    result = uvloop.run(run(calls))
    target = HERE.parent / "build" / "models.json"
    target.write_text(json.dumps(result, indent=2))
    show(result["rows"])
    ours = result["rows"]["everturn router + ledger"]
    met = ours["inside_p50_ms"] <= GOAL_P50_MS and ours["inside_p95_ms"] <= GOAL_P95_MS
    print(f"\ngoal: inside p50 <= {GOAL_P50_MS} ms and p95 <= {GOAL_P95_MS} ms: {'met' if met else 'NOT met'}")


if __name__ == "__main__":
    main()
