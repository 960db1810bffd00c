"""`everturn retrieval-test`: whether a collection's search finds what its tests expect."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from cli.connection import connect
from cli.faults import Refused
from runtime.settings import Settings
from sdk.client import Json

_AT_ONCE = 500
"""Tests that one call takes."""


def retrieval_test(
    collection: Annotated[str, typer.Option(help="Name of the collection.")],
    load: Annotated[
        Path | None,
        typer.Option(help="Add tests from a file first: a JSON object a line.", exists=True, dir_okay=False),
    ] = None,
    limit: Annotated[int, typer.Option(help="Passages that a search may return.", min=1, max=50)] = 10,
    least: Annotated[float, typer.Option(help="Exit 1 when the hit rate is lower.", min=0, max=1)] = 0.0,
) -> None:
    """Run a collection's retrieval tests; print what was missed, then hit rate, MRR and nDCG."""
    tests = [] if load is None else _tests(load)
    result = asyncio.run(_run(Settings(), collection, tests, limit))
    console = Console(highlight=False)
    for one in result["data"]:
        if one["missed"]:
            console.print(f"[red]missed[/] {escape(one['question'])}: {escape('; '.join(one['missed']))}")
    if not result["tests"]:
        raise Refused("the collection has no retrieval tests")
    figures = f"hit rate {result['hit_rate']:.3f}, MRR {result['mrr']:.3f}, nDCG {result['ndcg']:.3f}"
    console.print(f"{result['tests']} tests: {figures}")
    if result["hit_rate"] < least:
        raise typer.Exit(1)


def _tests(file: Path) -> list[Json]:
    try:
        return [json.loads(line) for line in file.read_text().splitlines() if line.strip()]
    except ValueError as error:
        raise Refused(f"{file} is not JSON lines: {error}") from error


async def _run(settings: Settings, name: str, tests: list[Json], limit: int) -> Json:
    async with connect(settings) as client:
        collection = await client.find("collections", name)
        if collection is None:
            raise Refused(f"there is no collection named {name!r}")
        for start in range(0, len(tests), _AT_ONCE):
            await client.add_retrieval_tests(collection["id"], tests[start : start + _AT_ONCE])
        return await client.run_retrieval_tests(collection["id"], limit=limit)
