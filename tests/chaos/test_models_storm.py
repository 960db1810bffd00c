"""A hundred turns through a storm: providers fail three times in ten, breakers open, workers are killed. Every turn is
answered, whole and once, and the ledger has what the providers charged, to the token."""

import asyncio
import json
import random
from collections import Counter
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx2

from db.engine import Database
from domain.models.ledger import Ledger
from domain.models.price_book import PriceBook, Seller
from tests.chaos.audit import audit
from tests.chaos.customer import Customer
from tests.chaos.stand import Stand
from tests.chaos.unreliable import DIALECTS, Unreliable

TURNS, AT_ONCE, KILLS, FAULTS = 100, 20, 3, 0.3
WORDS = [f"word{'abcdefghij'[n % 10]}{'klmnopqrst'[n // 10]}" for n in range(30)]
LATER = timedelta(0)


async def serve(stack: AsyncExitStack) -> dict[str, Unreliable]:
    servers = {}
    for number, kind in enumerate(DIALECTS):
        server = Unreliable(kind, WORDS, FAULTS, random.Random(number))
        listening = await asyncio.start_server(server, "127.0.0.1", 0)
        stack.callback(listening.close)
        server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}{DIALECTS[kind][0]}"
        servers[f"p{number}"] = server
    return servers


def environment(servers: dict[str, Unreliable]) -> dict[str, str]:
    configs = {
        name: {"kind": server.kind, "base_url": server.url, "api_key": "k", "model": "m", "max_concurrent": 8}
        for name, server in servers.items()
    }
    prices = [{"provider": name, "model": "m", "input": 3, "output": 15} for name in servers]
    return {
        "EVERTURN_PROVIDERS": json.dumps(configs),
        "EVERTURN_MODEL_PRICES": json.dumps(prices),
        "EVERTURN_PROVIDER_FIRST_TOKEN_SECONDS": "5",
        "EVERTURN_PROVIDER_IDLE_SECONDS": "2",
    }


async def make_agent(stand: Stand, servers: dict[str, Unreliable]) -> str:
    outage = {"first_pause_seconds": 0.5, "longest_pause_seconds": 2}
    policy = {"tasks": {"reply": [{"provider": name} for name in servers]}}
    async with httpx2.AsyncClient(base_url=stand.url, headers={"Authorization": f"Bearer {stand.key}"}) as client:
        made = await client.post("/v1/agents", json={"name": "storm", "config": {"outage": outage}})
        assert made.status_code == 201, made.text
        agent = str(made.json()["id"])
        given = await client.post("/v1/model-policies", json={"policy": policy, "agent_id": agent})
        assert given.status_code == 201, given.text
    return agent


async def ask_all(stand: Stand, agent: str) -> list[str]:
    """The text of each answer, as its reader has it; asserts at every event that no text is seen twice."""
    places, texts = asyncio.Semaphore(AT_ONCE), list[str]()

    async def one(seed: int) -> None:
        async with places:
            person = Customer(stand.url, stand.key, seed=seed)
            try:
                await person.open(agent)
                await person.ask("Say all the words.")
                assert person.reading.ended == ["turn.completed"]
                texts.append(person.reading.said)
            finally:
                await person.close()

    await asyncio.gather(*(one(seed) for seed in range(TURNS)))
    return texts


async def kill_workers(stand: Stand) -> None:
    for kill in range(KILLS):
        await asyncio.sleep(2.5)
        stand.kill(f"worker-{kill % 2}")
        await stand.restart(f"worker-{kill % 2}")


async def settle_the_lost(stand: Stand) -> None:
    """As maintenance does once they are old enough."""
    assert stand.org_id is not None
    database = Database(stand.database_url)
    await database.open()
    prices = PriceBook(database, lambda _name: Seller("openai_compatible"))
    await Ledger(database, prices).settle_lost(stand.org_id, ended=LATER, running=LATER)
    await database.close()


async def calls(stand: Stand) -> list[Any]:
    connection = await asyncpg.connect(stand.database_url)
    try:
        return list(await connection.fetch("SELECT * FROM model_calls"))
    finally:
        await connection.close()


async def test_a_hundred_turns_through_a_storm(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        servers = await serve(stack)
        stand = Stand(tmp_path, environment=environment(servers))
        stack.callback(stand.stop)
        await stand.start()
        agent = await make_agent(stand, servers)
        texts, _ = await asyncio.gather(ask_all(stand, agent), kill_workers(stand))
        assert texts == [" ".join(WORDS)] * TURNS, "each word once and in order, whoever said it"
        assert sum(server.failed for server in servers.values()) >= TURNS * FAULTS / 2, "it was a storm"
        await settle_the_lost(stand)
        assert (await audit(stand.database_url)).violations == {}
        await check_books(await calls(stand), servers)


async def check_books(rows: list[Any], servers: dict[str, Unreliable]) -> None:
    """Every request is a row; every reply that was heard to its end is there with its own count, and no other."""
    for name, server in servers.items():
        own = [row for row in rows if row["provider"] == name]
        # A worker that dies after reserving has not asked yet; nobody asks without reserving.
        lost = sum(row["outcome"] == "lost" for row in own)
        assert server.asked <= len(own) <= server.asked + lost
        counted = Counter((row["input_tokens"], row["output_tokens"]) for row in own if not row["estimated"])
        counted.pop((0, 0), None)
        charged = Counter(server.charged)
        assert not counted - charged, "nothing is on the books that was not charged"
        unheard = charged - counted
        estimates = sum(row["estimated"] for row in own)
        assert unheard.total() <= estimates, "whatever was charged to somebody who died is there as an estimate"
        assert (unheard.total() == 0) or lost, "and only that"
        exact = sum(3 * read + 15 * said for read, said in counted)
        assert sum(row["cost_micros"] for row in own if not row["estimated"]) == exact
