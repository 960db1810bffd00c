"""Documents in ingestion while workers, Postgres and Temporal are killed at random, then the audit.

Not part of the suite: two hundred documents take some minutes. The suite does each kind of kill once
(test_ingest_kills.py). Run it: `python -m tests.chaos.ingest --documents 200 --seed 7`.
"""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from uuid import UUID

from contracts import queues
from sdk.client import Everturn
from tests.chaos.library import Findings, audit, documents
from tests.chaos.stand import Stand

_VICTIMS = {"worker-0": 3, "worker-1": 3, "postgres": 2, "temporal": 2}

_CALM_SECONDS = 600
"""After the last kill everything must come to its end; a step that was killed is tried again after 15 s."""


async def _upload(client: Everturn, collection_id: str, uploaded: dict[str, bytes]) -> None:
    gate = asyncio.Semaphore(4)

    async def one(name: str, data: bytes) -> None:
        async with gate:
            await client.upload(collection_id, name, data, "application/octet-stream")

    await asyncio.gather(*(one(name, data) for name, data in uploaded.items()))


async def _states(client: Everturn, collection_id: str) -> Counter[str]:
    return Counter([row["state"] async for row in client.rows(f"/v1/collections/{collection_id}/documents")])


async def _strike(stand: Stand, chance: random.Random, calm: asyncio.Event, kills: Counter[str]) -> None:
    names, weights = list(_VICTIMS), list(_VICTIMS.values())
    while not calm.is_set():
        await asyncio.sleep(chance.uniform(0.5, 4))
        victim = chance.choices(names, weights)[0]
        stand.kill(victim)
        kills[victim] += 1
        await asyncio.sleep(chance.uniform(0, 1))
        await stand.restart(victim)


async def _ended(client: Everturn, collection_id: str, count: int, share: float) -> None:
    """Returns when that share of the documents is ready or failed."""
    while True:
        states = await _states(client, collection_id)
        done = states["ready"] + states["failed"]
        print(f"\r{dict(states)}" + " " * 20, end="", flush=True)
        if done >= count * share:
            print()
            return
        await asyncio.sleep(1)


async def _storm(count: int, seed: int, folder: Path) -> tuple[Findings, Counter[str], float]:
    stand, kills, calm = Stand(folder, queue=queues.INGEST), Counter[str](), asyncio.Event()
    uploaded = documents(count, seed)
    try:
        await stand.start()
        began = time.monotonic()
        async with Everturn(stand.url, stand.key) as client:
            collection = await client.create_collection("storm")
            strike = asyncio.create_task(_strike(stand, random.Random(seed), calm, kills))
            await _upload(client, collection["id"], uploaded)
            # The last documents end in peace: a step is tried 20 times, and an endless storm could kill it as often.
            await _ended(client, collection["id"], count, share=0.9)
            calm.set()
            await strike
            async with asyncio.timeout(_CALM_SECONDS):
                await _ended(client, collection["id"], count, share=1)
            took = time.monotonic() - began
            # A document is ready a moment before its run has cleared what it leaves behind.
            await asyncio.sleep(20)
        assert stand.org_id is not None
        found = await audit(stand.database_url, folder, stand.org_id, UUID(collection["id"]), uploaded)
        return found, kills, took
    finally:
        stand.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None, help="repeats the documents and the order of the kills")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.randrange(1_000_000)
    folder = Path(tempfile.mkdtemp(prefix="everturn-ingest-storm-"))
    print(f"seed {seed}; everything is kept in {folder} unless all is well")
    findings, kills, took = asyncio.run(_storm(options.documents, seed, folder))
    print(f"{sum(kills.values())} kills ({dict(kills)}) in {took:.0f} s")
    print(f"{findings.documents} documents, {findings.passages} passages in the index")
    for promise, broken in findings.violations.items():
        print(f"BROKEN: {promise}: {broken[:5]}")
    clean = not findings.violations and findings.documents == options.documents
    print("zero violations" if clean else "VIOLATIONS")
    if clean:
        shutil.rmtree(folder)
    sys.exit(0 if clean else 1)


if __name__ == "__main__":
    main()
