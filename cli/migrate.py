"""`everturn migrate`: bring the database, and an external Temporal, to what this version needs."""

import asyncio

import typer

from cli.faults import Refused
from runtime.settings import Settings


def migrate() -> None:
    """Upgrade the schema of DATABASE_URL, and register search attributes at TEMPORAL_ADDRESS. Safe to repeat."""
    asyncio.run(_migrate(Settings()))


async def _migrate(settings: Settings) -> None:
    from db.migrate import migrate as upgrade  # noqa: PLC0415  a second of imports that other verbs have no need of

    if settings.database_url is None:
        raise Refused("set DATABASE_URL to the database to migrate (`everturn up` migrates its own)")
    try:
        await upgrade(settings.database_url)
    except OSError as error:
        raise Refused(f"Postgres at DATABASE_URL does not answer: {error}") from error
    typer.echo("The schema is up to date.")
    if settings.temporal_address is None:
        return
    from runtime import search_attributes, telemetry, temporal  # noqa: PLC0415  as above

    client = await temporal.connect(settings, telemetry.Telemetry(None))
    added = await search_attributes.register(client)
    typer.echo(f"Search attributes added: {', '.join(added) or 'none, all were there'}.")
