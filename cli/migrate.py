"""`everturn migrate`: bring the database to the schema this version needs."""

import asyncio

import typer

from cli.faults import Refused
from runtime.settings import Settings


def migrate() -> None:
    """Upgrade the schema of DATABASE_URL. Safe to repeat, and to run twice at once."""
    settings = Settings()
    if settings.database_url is None:
        raise Refused("set DATABASE_URL to the database to migrate (`everturn up` migrates its own)")
    from db.migrate import migrate as upgrade  # noqa: PLC0415  a second of imports that other verbs have no need of

    asyncio.run(upgrade(settings.database_url))
    typer.echo("The schema is up to date.")
