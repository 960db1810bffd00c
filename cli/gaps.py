"""`everturn gaps`: what a collection was asked and could not answer."""

import asyncio
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from cli.connection import connect
from cli.faults import Refused
from runtime.settings import Settings
from sdk.client import Json


def gaps(
    collection: Annotated[str, typer.Option(help="Name of the collection.")],
    state: Annotated[
        Literal["open", "resolved", "dismissed"], typer.Option(help="Which gaps: open, resolved or dismissed.")
    ] = "open",
) -> None:
    """List knowledge gaps, the most often met first, with why they count."""
    rows = asyncio.run(_read(Settings(), collection, state))
    table = Table("met", "question", "why", "id")
    for row in sorted(rows, key=lambda row: -row["count"]):
        why = sorted({reason for one in row["examples"] for reason in one["reasons"]})
        table.add_row(str(row["count"]), row["question"], ", ".join(why), row["id"])
    Console().print(table)


async def _read(settings: Settings, name: str, state: str) -> list[Json]:
    async with connect(settings) as client:
        collection = await client.find("collections", name)
        if collection is None:
            raise Refused(f"there is no collection named {name!r}")
        path = f"/v1/collections/{collection['id']}/gaps"
        return [row async for row in client.rows(path) if row["state"] == state]
