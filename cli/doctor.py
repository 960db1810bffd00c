"""`everturn doctor`: look at everything that can be wrong, and say what to do about it."""

import typer
from rich.console import Console
from rich.table import Table

from cli.diagnosis import Check, diagnose
from runtime.settings import Settings

_MARKS = {"ok": "[green]ok[/]", "note": "[yellow]note[/]", "fault": "[red]fault[/]"}


def doctor() -> None:
    """Check Python, binaries, ports, disk, keys, database, Temporal and API. Exit 1 when something is wrong."""
    checks = list(diagnose(Settings()))
    Console().print(_table(checks))
    if any(check.state == "fault" for check in checks):
        raise typer.Exit(1)


def _table(checks: list[Check]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("", "what", "seen", "remedy"):
        table.add_column(column, overflow="fold")
    for check in checks:
        table.add_row(_MARKS[check.state], check.name, check.seen, check.remedy)
    return table
