"""`python -m bench.run`: everyone on this machine, one table, and the same figures in build/bench.json.

--quick: smaller numbers, under three minutes. --only NAMES and --skip NAMES choose; names are those of the rows.
"""

import argparse
import json
import os
import platform
import time
from pathlib import Path
from typing import Any

import uvloop

from bench import measure, table
from bench.contender import PEERS, Contender, Peer
from bench.environment import BUILD, install
from bench.everturn import EverturnContender
from bench.measure import QUICK, Figures, Sizes
from bench.servers import Servers


def main() -> None:
    arguments = _arguments()
    everyone: list[Contender] = [*PEERS, EverturnContender()]
    chosen = [who for who in everyone if not arguments.only or who.name in arguments.only]
    chosen = [who for who in chosen if who.name not in arguments.skip]
    for who in chosen:
        if isinstance(who, Peer):
            install(who.folder)
    result = uvloop.run(_run(chosen, QUICK if arguments.quick else Sizes()))
    result["quick"] = arguments.quick
    target = Path(arguments.json)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(result, indent=2))
    print()
    print(table.render(result["rows"]))
    if (ours := result["rows"].get("everturn")) is not None:
        print(f"\nwhere the time of a turn goes (mean ms by step):\n{table.steps(ours)}")
        print(f"\nresident memory, MB: {ours.get('memory_mb')}")
        print(f"\ngoals:\n{table.goals(ours)}")
    print(f"\nA ! marks figures where some requests failed; all figures and faults: {target}")


async def _run(chosen: list[Contender], sizes: Sizes) -> dict[str, Any]:
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"this machine is busy (load {load:.1f}): figures will be worse than they are", flush=True)
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "load_before": load}
    begun = time.monotonic()
    servers = Servers(BUILD / "servers")
    servers.start()
    try:
        rows = {who.name: await _row(who, servers, sizes) for who in chosen}
    finally:
        servers.stop()
    return {"machine": machine, "took_seconds": round(time.monotonic() - begun), "rows": rows}


async def _row(who: Contender, servers: Servers, sizes: Sizes) -> Figures:
    """Everything about one of them. One that breaks leaves its fault in the row, and the rest go on."""
    row: Figures = {"title": who.title, "note": who.note}
    print(f"{who.title} …", flush=True)
    try:
        await who.start(servers)
        await _measure(who, servers, sizes, row)
    except (RuntimeError, OSError, ValueError, KeyError) as error:
        # What foreign code raises when it does not start or answers in another format.
        row["fault"] = f"{type(error).__name__}: {error}"
        print(f"  {row['fault']}", flush=True)
    finally:
        await who.stop()
    return row


async def _measure(who: Contender, servers: Servers, sizes: Sizes, row: Figures) -> None:
    row["one_at_a_time"] = await _with_steps(who, measure.one_at_a_time(who, sizes))
    if who.streams:
        row["first_token"] = await measure.first_token(who, sizes)
    row["busy"] = await _with_steps(who, measure.busy(who, sizes))
    if who.streams:
        for count in sizes.streams:
            row[f"streams_{count}"] = await measure.streams(who, servers, sizes, count)
    row["memory_mb"] = measure.memory(who, servers)
    if who.streams and who.is_peer:
        row["kill"] = await measure.kill(who, sizes)


async def _with_steps(who: Contender, measuring: Any) -> Figures:
    before = await who.steps() if isinstance(who, EverturnContender) else {}
    figures: Figures = await measuring
    if isinstance(who, EverturnContender):
        figures["steps"] = _difference(before, await who.steps())
    return figures


def _difference(before: Figures, after: Figures) -> Figures:
    steps = {}
    for step, now in after.items():
        then = before.get(step, {"mean_ms": 0.0, "count": 0.0})
        count = now["count"] - then["count"]
        if count:
            spent = now["mean_ms"] * now["count"] - then["mean_ms"] * then["count"]
            steps[step] = {"mean_ms": spent / count, "count": count}
    return steps


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--skip", nargs="*", default=[])
    parser.add_argument("--json", default=str(BUILD.parent / "bench.json"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
