"""What a source says of itself: the things that are there, and what became of one that was read."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from db.tables.sources import SourceItem

State = Literal["waiting", "stored", "unchanged", "duplicate", "skipped", "failed", "vanished"]


@dataclass(frozen=True, slots=True)
class Seed:
    """A thing to read, or, with another state, one that will not be, with the reason."""

    key: str
    state: State = "waiting"
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What reading an item gave. body: its bytes, when it is to become a document.

    links: keys that were found in it; followed unless the content is that of another item.
    asked: a request was made for it, so the next one comes after a pause.
    """

    state: State
    detail: str = ""
    body: bytes | None = None
    filename: str = ""
    media_type: str = ""
    title: str = ""
    links: Sequence[str] = ()
    etag: str | None = None
    last_modified: str | None = None
    asked: bool = True


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one run of a source. complete: what was not seen in a run that stayed within them has vanished."""

    items: int
    depth: int = 0
    complete: bool = field(default=True)


class SourceReader(Protocol):
    """One source, opened for a batch. Every method may be called again after a crash."""

    limits: Limits

    async def seeds(self) -> list[Seed]:
        """Where a run begins. Raises SourceUnreachable, SourceRefused, Invalid."""
        ...

    async def read(self, item: SourceItem) -> Found:
        """Says in its answer what is wrong with this item; raises only what is wrong with the whole source."""
        ...

    def pause(self, key: str) -> float:
        """Seconds to leave between two requests."""
        ...

    async def close(self) -> None:
        """Idempotent."""
        ...
