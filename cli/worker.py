"""`everturn worker`: serve task queues until told to stop."""

import asyncio
import signal
from typing import Annotated

import typer
import uvloop

from cli.faults import Refused, need_servers
from contracts import queues as known
from runtime.settings import Settings


def worker(
    queues: Annotated[
        str | None, typer.Option(help="Comma-separated task queues; default EVERTURN_WORKER_QUEUES.")
    ] = None,
) -> None:
    """Run workflows and activities of some task queues. SIGTERM ends it after what it has in hand."""
    settings = Settings()
    names = (queues or settings.worker_queues).split(",")
    unknown = [name for name in names if name not in known.ALL]
    if unknown:
        raise Refused(f"no such queue: {', '.join(unknown)}. There are: {', '.join(known.ALL)}")
    need_servers(settings)
    # uvloop forks for each subprocess and runs every at-fork hook in the child. LanceDB's starts a thread there,
    # which may hang before the program is even loaded; asyncio's own loop uses vfork, and no hook runs. Ingestion
    # starts a process a document and gains nothing from uvloop.
    run = asyncio.run if known.INGEST in names else uvloop.run
    run(_serve(settings, names))


async def _serve(settings: Settings, names: list[str]) -> None:
    from worker import run_worker  # noqa: PLC0415  a second of imports that no other verb needs

    task = asyncio.create_task(run_worker(settings, names))
    for signum in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signum, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        return
