"""Faults a person can do something about, each said in one line. Everything else keeps its traceback."""

from pydantic import ValidationError

from runtime.embedded.process import CannotStart
from sdk.errors import EverturnError


class Refused(Exception):
    """A verb cannot do what was asked; the text says why and what to do instead."""


EXPECTED = (Refused, EverturnError, CannotStart, ValidationError, OSError)


def sentence(error: Exception) -> str:
    """What to print after "everturn: "."""
    if isinstance(error, ValidationError):
        parts = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        return f"setting {'; '.join(parts)}"
    return str(error)
