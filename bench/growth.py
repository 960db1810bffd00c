"""`python -m bench.growth`: what a long conversation and many idle ones cost. Not a comparison with others."""

import argparse
import asyncio
import json
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import uvloop

from bench.client import listen
from bench.environment import BUILD
from bench.everturn import EverturnContender
from bench.measure import SHORT
from bench.processes import cpu_seconds, resident_mb
from bench.servers import Servers

_EARLY, _LATE = 5, 25
"""Turns of one conversation that are compared: 5 to 25, and the last 20."""


async def _turns(who: EverturnContender, conversation: str, count: int) -> list[float]:
    times = []
    for _ in range(count):
        heard = await listen(who.port, who.turn(conversation, SHORT))
        assert heard.ok, heard.fault
        times.append(heard.turn_ms())
    return times


async def _long_conversation(who: EverturnContender, turns: int, pids: Mapping[str, int]) -> dict[str, Any]:
    """Wall and processor time of the turns at both ends; continue-as-new happens on the way."""
    conversation = await who.conversation()
    await _turns(who, conversation, _EARLY)
    times: dict[str, float] = {}
    cpu: dict[str, float] = {}
    done = _EARLY
    for name, until in (("early", _LATE), ("late", turns)):
        await _turns(who, conversation, until - 20 - done)
        before = cpu_seconds(pids.values())
        times[name] = statistics.median(await _turns(who, conversation, 20))
        cpu[name] = (cpu_seconds(pids.values()) - before) / 20 * 1000
        done = until
    return {"turns": turns, "turn_p50_ms": times, "cpu_ms_a_turn": cpu}


async def _idle_conversations(who: EverturnContender, count: int, pids: Mapping[str, int]) -> dict[str, Any]:
    """Memory of each process before and after so many conversations had one turn each and stayed open."""
    before = {name: resident_mb(pid) for name, pid in pids.items()}
    for start in range(0, count, 16):
        conversations = [await who.conversation() for _ in range(min(16, count - start))]
        await asyncio.gather(*(_turns(who, conversation, 1) for conversation in conversations))
    await asyncio.sleep(2)
    after = {name: resident_mb(pid) for name, pid in pids.items()}
    grown = {name: (after[name] - before[name]) * 1e6 / count for name in pids}
    return {"conversations": count, "bytes_each": {k: round(v) for k, v in grown.items()}, "resident_mb": after}


async def _run(turns: int, idle: int) -> dict[str, Any]:
    servers, who = Servers(BUILD / "growth"), EverturnContender()
    servers.start()
    try:
        await who.start(servers)
        await who.prepare(SHORT)
        pids = {**who.pids, **servers.pids}
        return {
            "long_conversation": await _long_conversation(who, turns, pids),
            "idle_conversations": await _idle_conversations(who, idle, pids),
        }
    finally:
        await who.stop()
        servers.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=500)
    parser.add_argument("--idle", type=int, default=400)
    options = parser.parse_args()
    result = uvloop.run(_run(options.turns, options.idle))
    Path("build/growth.json").write_text(json.dumps(result, indent=2))
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
