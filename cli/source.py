"""`everturn source`: websites, addresses and databases that documents come from."""

import asyncio
from collections.abc import Coroutine
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from cli.connection import connect
from cli.faults import Refused
from cli.labels import Given, labels_of
from runtime.settings import Settings
from sdk.client import Everturn, Json

source = typer.Typer(help="Websites, addresses and databases that documents come from.", no_args_is_help=True)

Collection = Annotated[str, typer.Option(help="Name of the collection.")]
SourceId = Annotated[str, typer.Argument(help="The source's id, as `list` shows it.")]


@source.command()
def add(
    place: Annotated[str, typer.Argument(help="An http address, or database:NAME of the settings.")],
    collection: Collection,
    site: Annotated[bool, typer.Option("--site", help="Follow the links of the address.")] = False,
    refresh_minutes: Annotated[int | None, typer.Option(help="Read it again every so many minutes.")] = None,
    label: Given = None,
) -> None:
    """Begin to read a source; made when there is no such collection."""
    body: Json = {"kind": "website" if site else "url", "url": place, "refresh_minutes": refresh_minutes}
    if place.startswith("database:"):
        body = {"kind": "database", "database": place.removeprefix("database:"), "refresh_minutes": refresh_minutes}
    body["labels"] = labels_of(label) or {}

    async def work(client: Everturn) -> None:
        found = await client.find("collections", collection) or await client.create_collection(collection)
        _show(await client.add_source(found["id"], body))

    _run(work)


@source.command("list")
def list_(collection: Collection) -> None:
    """The sources of a collection."""

    async def work(client: Everturn) -> None:
        found = await client.find("collections", collection)
        if found is None:
            raise Refused(f"there is no collection named {collection}")
        async for row in client.rows(f"/v1/collections/{found['id']}/sources"):
            _show(row)

    _run(work)


@source.command()
def refresh(source_id: SourceId) -> None:
    """Read a source again; what has not changed is not ingested again."""

    async def work(client: Everturn) -> None:
        _show(await client.refresh_source(source_id))

    _run(work)


@source.command()
def remove(
    source_id: SourceId,
    documents: Annotated[bool, typer.Option("--documents", help="Delete its documents too.")] = False,
) -> None:
    """Stop reading a source."""

    async def work(client: Everturn) -> None:
        await client.remove_source(source_id, documents_too=documents)

    _run(work)


def _run(work: Any) -> None:
    async def connected() -> None:
        async with connect(Settings()) as client:
            await work(client)

    job: Coroutine[Any, Any, None] = connected()
    asyncio.run(job)


def _show(row: Json) -> None:
    detail = f": {row['error_detail']}" if row["error_detail"] else ""
    Console(highlight=False).print(f"{row['id']} {row['kind']} {escape(row['name'])} {row['state']}{escape(detail)}")
