"""What `everturn doctor` looks at. Each check says what it saw and, when it failed, what to do."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from uuid import UUID

from runtime.embedded import postgres, stack, temporal
from runtime.embedded.ports import holder, is_free
from runtime.embedded.process import leave_root
from runtime.embedded.state import StackState, StateFile
from runtime.provider_configs import provider_configs
from runtime.settings import Settings

_DISK_BYTES = 2_000_000_000
"""An empty stack takes 0.4 GB (database, converted model, its temporary copy); the rest is room to work."""


@dataclass(frozen=True, slots=True)
class Check:
    """remedy is empty when there is nothing to do. A note is worth knowing and no fault."""

    name: str
    state: Literal["ok", "note", "fault"]
    seen: str
    remedy: str = ""


def diagnose(settings: Settings) -> Iterator[Check]:
    """Every check, cheap ones first. Changes nothing."""
    running = StateFile(settings.data_dir.resolve()).running()
    yield _python()
    yield from _binaries(settings)
    yield _root(settings)
    yield _folder(settings.data_dir)
    yield _disk(settings.data_dir)
    yield _storage(settings)
    yield _model_files(settings.data_dir)
    yield _keys(settings)
    if running is None:
        yield from _ports(settings)
        yield Check("stack", "note", "not running over this data folder", "everturn up")
    else:
        yield Check("stack", "ok", f"running as pid {running.supervisor.pid}: {', '.join(sorted(running.children))}")
    yield from asyncio.run(_servers(settings, running))


def _python() -> Check:
    # Older than 3.11 never gets here: the packages refuse to install there.
    return Check("python", "ok", f"{'.'.join(map(str, sys.version_info[:3]))} at {sys.executable}")


def _binaries(settings: Settings) -> Iterator[Check]:
    wanted = {
        "postgres binary": (settings.database_url, postgres.binary("postgres"), "DATABASE_URL"),
        "temporal binary": (settings.temporal_address, temporal.binary(), "TEMPORAL_ADDRESS"),
    }
    for name, (replaced, path, variable) in wanted.items():
        if replaced is not None:
            yield Check(name, "ok", f"not needed: {variable} is set")
            continue
        try:
            done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=30, check=True)  # noqa: S603
        except (OSError, subprocess.SubprocessError) as error:
            yield Check(name, "fault", f"does not run: {error}", f"make the packages' wheels work, or set {variable}")
        else:
            yield Check(name, "ok", done.stdout.strip().splitlines()[0])


def _root(settings: Settings) -> Check:
    """Postgres refuses root, so root needs user namespaces."""
    if settings.database_url is not None:
        return Check("user", "ok", "any: DATABASE_URL is set")
    try:
        subprocess.run(["/bin/true"], preexec_fn=leave_root, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return Check("user", "fault", "root, and user namespaces are forbidden here", "run as an ordinary user")
    return Check("user", "ok", "may run Postgres")


def _folder(folder: Path) -> Check:
    place = _existing(folder)
    if not os.access(place, os.W_OK | os.X_OK):
        return Check("data folder", "fault", f"{place} is not writable", "set EVERTURN_DATA_DIR to a folder of yours")
    return Check("data folder", "ok", str(folder.resolve()))


def _existing(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that is there."""
    folder = folder.resolve()
    while not folder.exists():
        folder = folder.parent
    return folder


def _disk(folder: Path) -> Check:
    free = shutil.disk_usage(_existing(folder)).free
    seen = f"{free / 1e9:.1f} GB free"
    if free < _DISK_BYTES:
        return Check("disk", "fault", seen, f"leave at least {_DISK_BYTES / 1e9:.0f} GB free")
    return Check("disk", "ok", seen)


def _storage(settings: Settings) -> Check:
    from domain.errors import DomainError, NotFound  # noqa: PLC0415  needed only here
    from domain.knowledge.storages import open_storage  # noqa: PLC0415

    if settings.storage_url is None:
        return Check("object storage", "ok", "a folder below the data folder")
    try:
        storage = open_storage(settings.storage_url, settings.data_dir)
        asyncio.run(storage.get(UUID(int=0), "doctor"))
    except NotFound:
        return Check("object storage", "ok", f"{settings.storage_url} answers")
    except DomainError as error:
        return Check(
            "object storage", "fault", f"{settings.storage_url}: {error}", "check the bucket and the AWS_ variables"
        )
    return Check("object storage", "ok", f"{settings.storage_url} answers")


def _model_files(data_dir: Path) -> Check:
    files = sorted((data_dir / "models").glob("*"))
    if not files:
        return Check("embedding model", "note", "not converted yet", "the first `everturn up` does it (about 10 s)")
    megabytes = sum(file.stat().st_size for file in files if file.is_file()) / 1e6
    return Check("embedding model", "ok", f"converted, {megabytes:.0f} MB")


def _keys(settings: Settings) -> Check:
    present = list(provider_configs(settings))
    if not present:
        return Check(
            "model keys", "note", "none: agents answer with sentences of their documents",
            "set ANTHROPIC_API_KEY, or OPENAI_API_KEY (with OPENAI_BASE_URL for your own server)",
        )  # fmt: skip
    return Check("model keys", "ok", ", ".join(present))


def _ports(settings: Settings) -> Iterator[Check]:
    explicit = settings.http_port if "http_port" in settings.model_fields_set else None
    wanted = [("API port", settings.http_port, explicit, "EVERTURN_HTTP_PORT")]
    if settings.temporal_address is None:
        ui = settings.temporal_ui_port
        wanted.append(("Temporal port", stack.TEMPORAL_PORT, settings.temporal_port, "EVERTURN_TEMPORAL_PORT"))
        wanted.append(("Temporal UI port", stack.TEMPORAL_UI_PORT, ui, "EVERTURN_TEMPORAL_UI_PORT"))
    if settings.database_url is None:
        wanted.append(("Postgres port", stack.POSTGRES_PORT, settings.postgres_port, "EVERTURN_POSTGRES_PORT"))
    for name, preferred, asked, variable in wanted:
        port = asked or preferred
        if is_free(port):
            yield Check(name, "ok", f"{port} is free")
        elif asked:
            yield Check(name, "fault", f"{port} is taken by {holder(port)}", f"end it, or change {variable}")
        else:
            yield Check(name, "note", f"{port} is taken by {holder(port)}", "another port will be used")


async def _servers(settings: Settings, running: StackState | None) -> list[Check]:
    checks = list[Check]()
    database_url = settings.database_url
    if running and running.postgres_port:
        folder = settings.data_dir.resolve() / "postgres"
        database_url = postgres.EmbeddedPostgres(folder, running.postgres_port).url
    if database_url:
        checks.append(await _schema(database_url))
    address = settings.temporal_address or (running.temporal_address if running else None)
    if address:
        checks.append(await asyncio.to_thread(_listens, "Temporal", address))
    if running:
        checks.append(await asyncio.to_thread(_listens, "API", running.api_url.removeprefix("http://")))
    return checks


async def _schema(database_url: str) -> Check:
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415  a second of imports, needed only here

    from db.migrate import versions  # noqa: PLC0415

    try:
        now, newest = await versions(database_url)
    except (OSError, SQLAlchemyError) as error:
        return Check("database", "fault", f"does not answer: {error}", "check DATABASE_URL, and that Postgres runs")
    if now != newest:
        return Check(
            "database", "fault", f"schema is at {now or 'nothing'}, this version needs {newest}", "everturn migrate"
        )
    return Check("database", "ok", f"answers; schema {now}")


def _listens(name: str, address: str) -> Check:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=3).close()
    except (OSError, ValueError) as error:
        return Check(name, "fault", f"{address} does not answer: {error}", "see the logs in the data folder")
    return Check(name, "ok", f"answers at {address}")
