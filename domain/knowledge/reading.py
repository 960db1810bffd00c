"""Read an uploaded file in a process of its own, so that a hostile one can only take that process with it."""

import asyncio
import json
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from domain.errors import DocumentUnreadable
from domain.knowledge.chunk import Chunk
from domain.knowledge.extract import Extract, Span
from domain.knowledge.parse_process import OUT_OF_MEMORY

_ROOT = Path(__file__).parents[2]
_OVER_CPU_LIMIT = (-signal.SIGXCPU, -signal.SIGKILL)


@dataclass(frozen=True, slots=True)
class Reading:
    """An extract and the passages it makes. Offsets of the chunks are true to `extract.text`.

    Where `extract.scans` names pages, their text is still to be recognised: `extract.with_recognised` puts it
    into its place, and `chunk` cuts the whole again.
    """

    extract: Extract
    chunks: list[Chunk]

    @property
    def title(self) -> str:
        return self.extract.title

    @property
    def media_type(self) -> str:
        return self.extract.media_type

    @property
    def pages(self) -> int:
        """0 for kinds without pages."""
        return self.extract.pages

    @property
    def text(self) -> str:
        return self.extract.text

    @property
    def scans(self) -> list[int]:
        return self.extract.scans


class FileReader:
    """Limits hold for one file each: address space in bytes (PDFium itself needs 150 MB), processor time, wall clock.

    Files that are not made to be slow need far less than 60 s: a million cells 6 s, 5,000 pages 20 s. The wall clock is
    for a machine that is busy with other things.
    """

    def __init__(self, *, memory_bytes: int = 1_500_000_000, cpu_seconds: int = 60, seconds: float = 300) -> None:
        self._memory_bytes = memory_bytes
        self._cpu_seconds = cpu_seconds
        self._seconds = seconds

    async def read(self, data: bytes, filename: str, document_id: UUID, claimed: str | None = None) -> Reading:
        """Raises DocumentUnreadable, with a sentence for the person who uploaded it. Cancellable at any time."""
        order = {
            "filename": filename,
            "claimed": claimed,
            "document_id": str(document_id),
            "memory_bytes": self._memory_bytes,
            "cpu_seconds": self._cpu_seconds,
        }
        code, answer, complaint = await self._run(json.dumps(order).encode() + b"\n" + data)
        if code == OUT_OF_MEMORY:
            raise DocumentUnreadable(f"reading the file needs more than {self._memory_bytes // 1_000_000} MB of memory")
        if code in _OVER_CPU_LIMIT:
            raise DocumentUnreadable(f"reading the file takes more than {self._cpu_seconds} seconds of processor time")
        if code < 0:
            raise DocumentUnreadable(
                f"the file broke its reader ({signal.Signals(-code).name}): it is corrupt or needs too much memory"
            )
        if code != 0:
            raise RuntimeError(f"the reading process ended with {code}: {complaint[-2000:].decode(errors='replace')}")
        found = json.loads(answer)
        if "unreadable" in found:
            raise DocumentUnreadable(found["unreadable"])
        extract = found["extract"]
        spans = [Span(**each) for each in extract["spans"]]
        return Reading(Extract(**(extract | {"spans": spans})), [Chunk(**each) for each in found["chunks"]])

    async def _run(self, order: bytes) -> tuple[int, bytes, bytes]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "domain.knowledge.parse_process",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=_ROOT,
            env={},  # a file that takes the process over finds no secrets in it
        )
        try:
            answer, complaint = await asyncio.wait_for(process.communicate(order), self._seconds)
        except TimeoutError:
            raise DocumentUnreadable(f"reading the file takes longer than {self._seconds:g} seconds") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode is not None
        return process.returncode, answer, complaint
