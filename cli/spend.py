"""`everturn spend`: what calls to models have cost."""

import asyncio
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.connection import connect
from cli.faults import Refused
from runtime.settings import Settings
from sdk.client import Everturn, Json

_BY = "day, month, agent, api_key, conversation, turn, provider, model, task, outcome or price"


def spend(
    by: Annotated[list[str] | None, typer.Option(help=f"Group by {_BY}; repeat it for several.")] = None,
    since: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day, UTC.")] = None,
    before: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Day after the last one, UTC.")] = None,
    agent: Annotated[str | None, typer.Option(help="Only this agent, by its name.")] = None,
) -> None:
    """Show what models have cost this month, by model unless told otherwise."""
    told = asyncio.run(_read(Settings(), by or ["model"], since, before, agent))
    names = list(told["groups"][0]["by"]) if told["groups"] else []
    table = Table(*names, "calls", "input tokens", "output tokens", "US dollars", "unpriced calls")
    for group in told["groups"]:
        table.add_row(*(group["by"][name] or "-" for name in names), *_sums(group))
    table.add_section()
    table.add_row(*(["total"] + [""] * (len(names) - 1) if names else []), *_sums(told["total"]))
    console = Console()
    console.print(f"from {told['since']} to before {told['before']}, UTC")
    console.print(table)
    if told["total"]["open_calls"]:
        most = _dollars(told["total"]["reserved_micros"])
        console.print(f"{told['total']['open_calls']} calls under way may still cost {most} US dollars at most")


async def _read(
    settings: Settings, by: list[str], since: datetime | None, before: datetime | None, agent: str | None
) -> Json:
    async with connect(settings) as client:
        only = {"agent_id": await _agent_id(client, agent)} if agent else {}
        first, end = (day.date() if day else None for day in (since, before))
        return await client.spend(by, since=first, before=end, **only)


async def _agent_id(client: Everturn, name: str) -> str:
    found = await client.find("agents", name)
    if found is None:
        raise Refused(f"there is no agent named {name!r}")
    return str(found["id"])


def _sums(row: Json) -> list[str]:
    tokens = [f"{row[name]:,}" for name in ("calls", "input_tokens", "output_tokens")]
    return [*tokens, _dollars(row["cost_micros"]), f"{row['unpriced_calls']:,}" if row["unpriced_calls"] else ""]


def _dollars(micros: int) -> str:
    """All six digits: a call may cost less than a thousandth of a cent, and sums have to add up."""
    return f"{micros // 1_000_000:,}.{micros % 1_000_000:06}"
