"""A hundred random kills in a row over running conversations, then the audit. `make chaos` runs it.

Not part of the suite: it takes some ten minutes. The suite runs each kind of kill once (test_kills.py).
"""

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from tests.chaos.audit import Findings, audit
from tests.chaos.customer import Customer
from tests.chaos.stand import Stand
from tests.tool_server import ToolServer, tool_server

_VICTIMS = {"worker-0": 6, "worker-1": 6, "api": 4, "temporal": 2, "postgres": 2}
"""How often each is the one that dies: workers and API fall most in real life."""

_SCRIPT = {"text": " ".join(f"w{n}" for n in range(30)), "token_delay_ms": 30, "first_delay_ms": 100}


@dataclass
class Tally:
    asked: int = 0
    failed: int = 0
    spliced: int = 0
    """Answers whose pieces, one after the other, are not the text (an OpenAI client would see it)."""
    kills: Counter[str] = field(default_factory=Counter)


async def _agent(stand: Stand, name: str, **config: Any) -> str:
    async with httpx2.AsyncClient(base_url=stand.url, headers={"Authorization": f"Bearer {stand.key}"}) as client:
        made = await client.post("/v1/agents", json={"name": name, "config": config})
        assert made.status_code == 201, made.text
        return str(made.json()["id"])


async def _converse(stand: Stand, agent: str, seed: int, calm: asyncio.Event, tally: Tally) -> None:
    """One customer asks on until the storm is over, and finishes the question he is at."""
    person = Customer(stand.url, stand.key, drops=0.02, seed=seed)
    await person.open(agent)
    try:
        while not calm.is_set():
            tally.asked += 1
            await person.ask(f"Question {tally.asked} of customer {seed}")
            tally.failed += person.reading.ended[-1] == "turn.failed"
            tally.spliced += not person.reading.rewound and person.reading.said != person.reading.text
    finally:
        await person.close()


async def _strike(stand: Stand, kills: int, chance: random.Random, tally: Tally) -> None:
    names, weights = list(_VICTIMS), list(_VICTIMS.values())
    for number in range(1, kills + 1):
        await asyncio.sleep(chance.uniform(0.2, 2.5))
        victim = chance.choices(names, weights)[0]
        stand.kill(victim)
        tally.kills[victim] += 1
        await asyncio.sleep(chance.uniform(0, 0.5))
        await stand.restart(victim)
        print(f"\rkill {number} of {kills}: {victim:<10} turns asked {tally.asked}", end="", flush=True)
    print()


async def _storm(kills: int, seed: int, folder: Path) -> tuple[Tally, Findings, ToolServer]:
    stand, tally, calm = Stand(folder), Tally(), asyncio.Event()
    async with tool_server() as tools:
        tools.honour_keys = True
        try:
            await stand.start()
            tool = {"name": "refund", "url": f"{tools.url}/refund", "idempotent": True}
            call = {"tool_calls": [{"name": "refund", "arguments": {"order": "W1"}}]}
            plain = await _agent(stand, "plain", model={"provider": "scripted", "script": _SCRIPT})
            acting = await _agent(
                stand, "acting", model={"provider": "scripted", "script": _SCRIPT | call}, tools=[tool]
            )
            customers = [
                asyncio.create_task(_converse(stand, plain if number % 2 else acting, number, calm, tally))
                for number in range(8)
            ]
            strike = asyncio.create_task(_strike(stand, kills, random.Random(seed), tally))
            await asyncio.wait([strike, *customers], return_when=asyncio.FIRST_COMPLETED)
            calm.set()
            await asyncio.gather(strike, *customers)
            return tally, await audit(stand.database_url), tools
        finally:
            stand.stop()


def _report(tally: Tally, findings: Findings, tools: ToolServer, seconds: float) -> bool:
    acts = len(tools.acted) - len(set(tools.keys))
    print(f"{sum(tally.kills.values())} kills ({dict(tally.kills)}) in {seconds:.0f} s, {tally.asked} questions asked")
    print(f"{findings.turns} turns, {findings.failed_turns} ended with an explanation")
    print(f"{findings.repeated_calls} model calls were cut off and went on, {len(tools.keys)} tool requests sent,")
    print(
        f"{len(tools.acted)} side effects for {len(set(tools.keys))} calls, {findings.unknown_tools} parked as unknown"
    )
    print(f"{tally.spliced} answers with repeated or missing text")
    for promise, broken in findings.violations.items():
        print(f"BROKEN: {promise}: {broken[:5]}")
    clean = not findings.violations and acts == 0 and tally.spliced == 0 and findings.turns == tally.asked
    print("zero violations" if clean else "VIOLATIONS")
    return clean


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=None, help="repeats the order of the kills")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.randrange(1_000_000)
    print(f"seed {seed}")
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="everturn-storm-"))
    print(f"everything is kept in {folder} unless all is well")
    clean = _report(*asyncio.run(_storm(options.kills, seed, folder)), time.monotonic() - started)
    if clean:
        shutil.rmtree(folder)
    sys.exit(0 if clean else 1)


if __name__ == "__main__":
    main()
