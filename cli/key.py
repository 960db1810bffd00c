"""`everturn key`: the first API key of an organisation, for which no other key can ask."""

import asyncio
from pathlib import Path
from typing import Annotated
from uuid import UUID, uuid4

import typer

from cli.faults import Refused
from runtime.settings import Settings


def key(
    name: Annotated[str, typer.Argument(help="Name of the new organisation, and of the key.")],
    org: Annotated[UUID | None, typer.Option(help="Make a key for this organisation instead of a new one.")] = None,
    save: Annotated[
        Path | None, typer.Option(help="Write the key to this file (mode 0600), not to the screen.")
    ] = None,
) -> None:
    """Make an organisation and an API key that may do everything. The key is shown once."""
    org_id, text = asyncio.run(_make(Settings(), name, org))
    if save is None:
        typer.echo(f"organisation {org_id}\nkey {text}")
        return
    save.parent.mkdir(parents=True, exist_ok=True)
    save.unlink(missing_ok=True)
    save.touch(mode=0o600)
    save.write_text(text + "\n")
    typer.echo(f"organisation {org_id}\nkey in {save}")


async def _make(settings: Settings, name: str, org: UUID | None) -> tuple[UUID, str]:
    # Imported here: a second that `everturn chat` has no need of.
    from db.engine import Database  # noqa: PLC0415
    from domain.auth import org_store, permissions, store  # noqa: PLC0415

    if settings.database_url is None:
        raise Refused("set DATABASE_URL to the database the key is for (`everturn up` makes a key of its own)")
    org_id = org or uuid4()
    database = Database(settings.database_url, role=settings.database_role)
    try:
        async with database.session(org_id) as session:
            if org is None:
                await org_store.create_org(session, org_id, name)
            else:
                await org_store.get_org(session, org_id)
            _, text = await store.create_key(session, org_id, name, permissions.ALL)
    finally:
        await database.close()
    return org_id, text
