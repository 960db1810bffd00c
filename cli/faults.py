"""Faults a person can do something about, each said in one line. Everything else keeps its traceback."""

from pydantic import ValidationError

from domain.errors import DomainError
from runtime.embedded.process import CannotStart
from runtime.settings import Settings
from sdk.errors import EverturnError


class Refused(Exception):
    """A verb cannot do what was asked; the text says why and what to do instead."""


EXPECTED = (Refused, EverturnError, DomainError, CannotStart, ValidationError, OSError)


def sentence(error: Exception) -> str:
    """What to print after "everturn: "."""
    if isinstance(error, ValidationError):
        parts = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        return f"setting {'; '.join(parts)}"
    return str(error)


def need_servers(settings: Settings) -> None:
    """Raises Refused when a process that serves is not told where its servers are."""
    servers = {"DATABASE_URL": settings.database_url, "TEMPORAL_ADDRESS": settings.temporal_address}
    missing = [name for name, value in servers.items() if value is None]
    if missing:
        raise Refused(f"set {' and '.join(missing)} (`everturn up` does, for what it starts)")
