"""Processor time and memory of a set of processes, with all of their children."""

import contextlib
from collections.abc import Iterable

import psutil


def family(pids: Iterable[int]) -> list[psutil.Process]:
    """These processes and their children, those that are alive."""
    found: dict[int, psutil.Process] = {}
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            for member in (process, *process.children(recursive=True)):
                found[member.pid] = member
    return list(found.values())


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time so far, also of children that have ended and were waited for."""
    total = 0.0
    for process in family(pids):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def resident_mb(pid: int) -> float:
    """Of the process and its children; a page that several share is split between them (Postgres shares most)."""
    total = 0
    for process in family([pid]):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += process.memory_full_info().pss
    return total / 1e6
