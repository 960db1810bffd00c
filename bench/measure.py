"""The measurements, each the same for everyone: what is sent, when, and what counts."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.client import Heard, listen
from bench.contender import Contender, Script
from bench.processes import cpu_seconds, resident_mb
from bench.servers import Servers

Figures = dict[str, Any]

SHORT = Script(0, 0, 8)
"""A reply of eight tokens at once: the turn's own cost and nothing of a model's."""

SLOW_START = Script(200, 0, 8)
TOKENS_A_SECOND = 30
STARTS_A_SECOND = 20
"""Streams begin one after the other: the question is what many of them cost, not what a crowd at the door does."""


@dataclass(frozen=True)
class Sizes:
    """How much of each; seconds unless the name says otherwise."""

    turns: int = 60
    first_tokens: int = 25
    conversations: int = 64
    busy: float = 12
    streams: tuple[int, ...] = (100, 300)
    stream_tokens: int = 540
    """18 s: all of 300 run at the same time for some seconds."""

    kill_after: float = 1.5
    kill_tokens: int = 150
    wait_for_finish: float = 75


QUICK = Sizes(turns=20, first_tokens=8, busy=5, streams=(100,), stream_tokens=240, wait_for_finish=12)


def percentile(values: Sequence[float], share: float) -> float | None:
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def one_at_a_time(who: Contender, sizes: Sizes) -> Figures:
    """Whole turns, one after another, ten in each conversation. The first five warm up."""
    await who.prepare(SHORT)
    times, faults, conversation = [], [], ""
    for number in range(sizes.turns + 5):
        if number % 10 == 0:
            conversation = await who.conversation()
        heard = await listen(who.port, who.turn(conversation, SHORT))
        if not heard.ok:
            faults.append(heard.fault)
        elif number >= 5:
            times.append(heard.turn_ms())
    return {"p50_ms": percentile(times, 0.5), "p99_ms": percentile(times, 0.99), "faults": faults[:3]}


async def first_token(who: Contender, sizes: Sizes) -> Figures:
    """What is added to the 200 ms that the model waits before it speaks, in a conversation that exists."""
    await who.prepare(SLOW_START)
    conversation = await who.conversation()
    added, faults = [], []
    for number in range(sizes.first_tokens + 2):
        heard = await listen(who.port, who.turn(conversation, SLOW_START))
        if not heard.tokens:
            faults.append(heard.fault)
        elif number >= 2:
            added.append(heard.first_token_ms() - SLOW_START.first_delay_ms)
    return {"p50_ms": percentile(added, 0.5), "p99_ms": percentile(added, 0.99), "faults": faults[:3]}


async def busy(who: Contender, sizes: Sizes) -> Figures:
    """Every conversation asks again as soon as it is answered; two seconds of warming up."""
    await who.prepare(SHORT)
    conversations = [await who.conversation() for _ in range(sizes.conversations)]
    begins = time.monotonic() + 2
    ends = begins + sizes.busy
    times: list[float] = []
    faults: list[str] = []
    answered = 0

    async def ask(conversation: str) -> None:
        nonlocal answered
        while (now := time.monotonic()) < ends:
            heard = await listen(who.port, who.turn(conversation, SHORT), timeout_seconds=60)
            if not heard.ok:
                faults.append(heard.fault)
                await asyncio.sleep(0.05)
            else:
                # A turn of two seconds that began before the window and ended in it is work of the window.
                answered += begins <= time.monotonic() <= ends
                if now >= begins:
                    times.append(heard.turn_ms())

    await asyncio.gather(*(ask(conversation) for conversation in conversations))
    return {
        "turns_per_second": answered / sizes.busy,
        "p50_ms": percentile(times, 0.5),
        "p99_ms": percentile(times, 0.99),
        "faults": faults[:3],
    }


async def streams(who: Contender, servers: Servers, sizes: Sizes, count: int) -> Figures:
    """`count` replies at 30 tokens a second at the same time, begun 20 a second, which everyone can start."""
    script = Script(200, 1000 / TOKENS_A_SECOND, sizes.stream_tokens)
    await who.prepare(script)
    conversations = [await who.conversation() for _ in range(count)]
    pids = [*who.pids.values(), *servers.pids.values()]
    cpu, commits, begun = cpu_seconds(pids), await servers.commits(who.database), time.monotonic()

    async def hear(number: int) -> Heard:
        await asyncio.sleep(number / STARTS_A_SECOND)
        return await listen(who.port, who.turn(conversations[number], script))

    all_heard = await asyncio.gather(*(hear(number) for number in range(count)))
    took = time.monotonic() - begun
    cpu = cpu_seconds(pids) - cpu
    await asyncio.sleep(1.1)
    commits = await servers.commits(who.database) - commits
    good = [heard for heard in all_heard if heard.ok and heard.tokens]
    lags = [lag for heard in good for lag in heard.lags_ms()]
    ideal = (sizes.stream_tokens - 1) * script.token_delay_ms
    lengths = [(heard.tokens[-1][2] - heard.tokens[0][2]) / 1e6 / ideal for heard in good]
    return {
        "lag_p50_ms": percentile(lags, 0.5),
        "lag_p95_ms": percentile(lags, 0.95),
        "first_token_p50_ms": percentile([h.first_token_ms() - script.first_delay_ms for h in good], 0.5),
        "first_token_p95_ms": percentile([h.first_token_ms() - script.first_delay_ms for h in good], 0.95),
        "length_p50": percentile(lengths, 0.5),
        "length_p95": percentile(lengths, 0.95),
        "cpu_cores": cpu / took,
        "commits_per_second": commits / took,
        "incomplete": count - sum(_whole(heard, sizes.stream_tokens) for heard in all_heard),
        "faults": [heard.fault for heard in all_heard if heard.fault][:3],
    }


def _whole(heard: Heard, tokens: int) -> bool:
    return [index for index, _, _ in heard.tokens] == list(range(tokens))


async def kill(who: Contender, sizes: Sizes) -> Figures:
    """kill -9 in mid-stream, start again at once, and then only look: nobody asks for the turn a second time."""
    script = Script(200, 1000 / TOKENS_A_SECOND, sizes.kill_tokens)
    await who.prepare(script)
    conversation = await who.conversation()
    heard = Heard()
    reading = asyncio.create_task(listen(who.port, who.turn(conversation, script), heard))
    for _ in range(int(sizes.kill_after * 200)):
        if len(heard.tokens) >= sizes.kill_after * TOKENS_A_SECOND or reading.done():
            break
        await asyncio.sleep(0.01)
    connected = await who.kill()
    before = len(heard.tokens)
    await who.revive()
    back = time.monotonic_ns()
    deadline = time.monotonic() + sizes.wait_for_finish
    if not connected:
        with contextlib.suppress(asyncio.CancelledError):
            await reading
        heard.fault = ""
        while not heard.ended_at and time.monotonic() < deadline:
            again = who.resume(conversation, heard)
            if again is None:
                break
            heard.fault = ""
            await listen(who.port, again, heard, timeout_seconds=max(0.1, deadline - time.monotonic()))
            await asyncio.sleep(0.2)
    else:
        await asyncio.wait([reading], timeout=max(0.1, deadline - time.monotonic()))
        reading.cancel()
    asked = who.ask_again(conversation, script)
    if asked is not None and not heard.ended_at:
        await listen(who.port, asked, heard)
    indexes = [index for index, _, _ in heard.tokens]
    after = heard.tokens[before:]
    return {
        "finishes_by_itself": heard.ended_at > 0 and asked is None,
        "goes_on_after_s": (after[0][2] - back) / 1e9 if after else None,
        "finished_after_s": (heard.ended_at - back) / 1e9 if heard.ended_at else None,
        "repeated_tokens": len(indexes) - len(set(indexes)),
        "text_taken_back": "rewound" in heard.extra,
        "missing_tokens": sizes.kill_tokens - len(set(indexes)) if heard.ended_at else None,
        "fault": heard.fault,
    }


def memory(who: Contender, servers: Servers) -> Figures:
    return {name: round(resident_mb(pid), 1) for name, pid in {**who.pids, **servers.pids}.items()}
