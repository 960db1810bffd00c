"""`everturn ingest`: upload files and folders into a collection, and wait until each can be searched."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from cli.connection import connect
from cli.faults import Refused
from cli.labels import Given, labels_of
from cli.media import MEDIA_TYPES, media_type, readable
from runtime.settings import Settings
from sdk.client import Everturn, Json
from sdk.errors import ApiProblem

_AT_ONCE = 4
"""Uploads in flight; the ingest worker takes four documents at a time."""


def ingest(
    paths: Annotated[
        list[Path], typer.Argument(help="Files, or folders with everything readable in them.", exists=True)
    ],
    collection: Annotated[str, typer.Option(help="Name of the collection; made when there is none.")],
    label: Given = None,
) -> None:
    """Upload, and wait until every document is ready. Exit 1 when any failed, with the reason."""
    labels = labels_of(label)
    found = [file for path in paths for file in readable(path)]
    if not found:
        raise Refused(f"nothing to read there; readable are {', '.join(MEDIA_TYPES)}")
    failures = asyncio.run(_ingest(Settings(), found, collection, labels))
    if failures:
        raise typer.Exit(1)


async def _ingest(settings: Settings, found: list[Path], name: str, labels: dict[str, str] | None) -> int:
    console = Console(highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[state]}"))
    async with connect(settings) as client:
        collection = await client.find("collections", name) or await client.create_collection(name)
        with Progress(*columns, console=console) as progress:
            gate = asyncio.Semaphore(_AT_ONCE)
            jobs = (_one(client, collection["id"], file, labels, progress, gate) for file in found)
            reasons = await asyncio.gather(*jobs)
    failed = [(file, reason) for file, reason in zip(found, reasons, strict=True) if reason]
    for file, reason in failed:
        console.print(f"[red]failed[/] {escape(str(file))}: {escape(reason)}")
    console.print(f"{len(found) - len(failed)} of {len(found)} documents are ready in {escape(name)}.")
    return len(failed)


async def _one(
    client: Everturn,
    collection_id: str,
    file: Path,
    labels: dict[str, str] | None,
    progress: Progress,
    gate: asyncio.Semaphore,
) -> str | None:
    """Why the file failed, or None."""
    async with gate:
        task = progress.add_task(escape(file.name), total=None, state="uploading")
        try:
            content = await asyncio.to_thread(file.read_bytes)
            row = await client.upload(collection_id, file.name, content, media_type(file), labels=labels)
        except (ApiProblem, OSError) as error:
            progress.update(task, total=1, completed=0, state="refused")
            return str(error)
        return await _follow(client, row, progress, task)


async def _follow(client: Everturn, row: Json, progress: Progress, task: TaskID) -> str | None:
    async for now in client.document_progress(row["id"]):
        if "state" not in now:
            return "deleted while it was ingested"
        row = now
        done, total = _how_far(row)
        progress.update(task, total=total, completed=done, state=row["state"])
    if row["state"] == "failed":
        progress.update(task, total=1, completed=0, state="failed")
        return f"{row['error_code']}: {row['error_detail']}"
    progress.update(task, total=1, completed=1, state=f"ready, {_counted(row['passages'])}")
    return None


def _counted(passages: int) -> str:
    return "1 passage" if passages == 1 else f"{passages} passages"


def _how_far(row: Json) -> tuple[int, int | None]:
    """Pages while scans are recognised, passages while they are embedded; None: nobody knows yet."""
    if row["state"] == "ocr":
        return row["ocr_pages_done"], row["ocr_pages"]
    return row["passages_done"], row["passages"] or None
