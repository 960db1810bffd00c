"""`everturn up`: the whole product on this machine, with a question answered to show that it works."""

import asyncio
import signal
import time
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from cli import demo
from cli.chat import Talk
from cli.faults import Refused
from runtime.embedded.stack import Stack
from runtime.embedded.state import StackState, StateFile
from runtime.settings import Settings
from sdk.client import Everturn
from sdk.errors import ApiProblem

_STARTING_SECONDS = 180
"""How long a second `up` waits for the first one: a first start with a model conversion on a loaded machine."""


def up(
    once: Annotated[bool, typer.Option("--once", help="Check one cited answer, stop all, exit 0 or 1.")] = False,
) -> None:
    """Start Postgres, Temporal, API and workers, seed a demo agent, ask it a question, and stay until Ctrl-C."""
    code = asyncio.run(_up(Settings(), Console(highlight=False), once=once))
    if code:
        raise typer.Exit(code)


async def _up(settings: Settings, console: Console, *, once: bool) -> int:
    stack = Stack(settings, lambda text: console.print(f"[yellow]note[/] {text}"))
    if not stack.take_folder():
        return await _visit(settings, console, once=once)
    body = asyncio.create_task(_run(stack, console, once=once))
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(signum, body.cancel)
    try:
        return await body
    except asyncio.CancelledError:
        # Interrupted while it only stayed is how it is meant to end; a check that was cut short has not passed.
        return 1 if once else 0
    finally:
        await stack.stop()
        console.print("Stopped.")


async def _run(stack: Stack, console: Console, *, once: bool) -> int:
    began = time.monotonic()
    with console.status("Starting Postgres, Temporal, API and workers"):
        state = await stack.start()
    console.print(f"Everything is up after {time.monotonic() - began:.1f} s.")
    await _seed(stack, state, console)
    cited = await _ask(state, stack.key_file.read_text().strip(), console)
    stack.mark_ready()
    if once:
        return 0 if cited else 1
    _tell(state, stack, console)
    await stack.wait()
    return 0


async def _visit(settings: Settings, console: Console, *, once: bool) -> int:
    """Another `up` has the folder: wait until it is ready, and ask through it."""
    file = StateFile(settings.data_dir.resolve())
    deadline = time.monotonic() + _STARTING_SECONDS
    with console.status("Another `everturn up` is starting over this data folder"):
        while (state := file.running()) is None or not state.ready:
            if time.monotonic() > deadline:
                raise Refused(
                    f"another `everturn up` has held the data folder for {_STARTING_SECONDS} s and is not ready"
                )
            await asyncio.sleep(0.1)
    stack = Stack(settings, console.print)
    console.print(f"Already running as pid {state.supervisor.pid}; `everturn down` stops it.")
    cited = await _ask(state, stack.key_file.read_text().strip(), console)
    _tell(state, stack, console)
    return 1 if once and not cited else 0


async def _seed(stack: Stack, state: StackState, console: Console) -> None:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("Reading the help centre", total=None)

        def show(ready: int, total: int) -> None:
            progress.update(task, completed=ready, total=total)

        try:
            await _seed_with(state, stack, show)
        except ApiProblem as error:
            if error.status != 401:
                raise
            # The key is of another database: DATABASE_URL was changed, or the data was thrown away.
            await stack.make_key()
            await _seed_with(state, stack, show)


async def _seed_with(state: StackState, stack: Stack, show: demo.Progress) -> None:
    async with Everturn(state.api_url, stack.key_file.read_text().strip()) as client:
        await demo.seed(client, show)


async def _ask(state: StackState, key: str, console: Console) -> bool:
    """Whether the answer came, and stands on a citation."""
    console.print(f"\n[bold]you >[/] {demo.QUESTION}")
    console.print(f"[bold]{demo.AGENT} >[/]")
    async with Everturn(state.api_url, key) as client:
        talk = await Talk.begin(client, console, demo.AGENT, None)
        reply = await talk.ask(demo.QUESTION)
    if reply.failure is None and not reply.citations:
        console.print("[red]The answer has no citation.[/]")
    return reply.failure is None and bool(reply.citations)


def _tell(state: StackState, stack: Stack, console: Console) -> None:
    lines = {
        "API": f"{state.api_url}/docs",
        "Temporal UI": state.temporal_ui_url or f"(external Temporal at {state.temporal_address})",
        "API key": f"in {stack.key_file}",
        "Talk to it": "everturn chat",
        "Stop it": "Ctrl-C here, or everturn down",
    }
    console.print()
    for name, value in lines.items():
        console.print(f"  [dim]{name:<12}[/] {value}", soft_wrap=True)
    console.print(
        f'\n  curl -s {state.api_url}/v1/agents -H "Authorization: Bearer $(cat {stack.key_file})"\n', soft_wrap=True
    )
