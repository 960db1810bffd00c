"""Recognise the text of scanned pages and images, in a process that may be killed. Not for pages that hold text."""

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from domain.errors import DocumentUnreadable
from domain.knowledge.ocr_process import OUT_OF_MEMORY
from domain.knowledge.ocr_text import Line, PageText

__all__ = ["Line", "Ocr", "PageText"]

_ROOT = Path(__file__).parents[2]
_START_SECONDS = 120
"""Importing takes 2 s of processor time; a machine that is busy with other things takes many times that."""

_LONGEST_ANSWER = 16_000_000
"""Bytes: a page holds 1,000 lines at most, each some 200 bytes; a process that was taken over may send more."""


class Ocr:
    """One process for each call, with the model loaded once; limits hold for each page.

    memory_bytes is address space (the model needs 1.5 GB of it on a full page), cpu_seconds processor time (a full
    page needs 8), seconds wall clock: long, as the process waits for everything else. threads: what the model may
    use. tesseract: the program, where there is one; it is asked when the model is not installed and for pages the
    model is unsure of, in `languages` by its own names (default: those it has, five at most). model: whether to use
    the model; None: when it is installed.
    """

    def __init__(
        self,
        *,
        memory_bytes: int = 3_000_000_000,
        cpu_seconds: int = 60,
        seconds: float = 900,
        threads: int = 1,
        tesseract: Path | None = None,
        languages: Sequence[str] = (),
        model: bool | None = None,
    ) -> None:
        self._memory_bytes = memory_bytes
        self._cpu_seconds = cpu_seconds
        self._seconds = seconds
        self._threads = threads
        self._tesseract = tesseract
        self._languages = list(languages)
        self._model = find_spec("rapidocr") is not None if model is None else model

    @classmethod
    def found_here(cls) -> "Ocr":
        """With the tesseract on the PATH, if any."""
        tesseract = shutil.which("tesseract")
        return cls(tesseract=Path(tesseract) if tesseract else None)

    async def read(self, data: bytes, media_type: str, pages: Sequence[int]) -> list[PageText]:
        """All of `stream` at once."""
        return [page async for page in self.stream(data, media_type, pages)]

    async def stream(self, data: bytes, media_type: str, pages: Sequence[int]) -> AsyncIterator[PageText]:
        """Each of the pages (counted from 1) as soon as it is read, in the order asked for. Cancellable at any time.

        A page that fails has its `error`, and the others go on. Raises DocumentUnreadable when the file itself
        cannot be opened, and when no engine is installed.
        """
        if not self._model and self._tesseract is None:
            raise DocumentUnreadable(
                "the text of scans and images cannot be recognised here: neither the extra everturn[ocr] nor tesseract "
                "is installed"
            )
        order = {
            "media_type": media_type,
            "bytes": len(data),
            "memory_bytes": self._memory_bytes,
            "cpu_seconds": self._cpu_seconds,
            "threads": self._threads,
            "model": self._model,
            "tesseract": str(self._tesseract) if self._tesseract else None,
            "languages": self._languages,
        }
        left = list(pages)
        while left:
            async with _process() as process:
                await self._open(process, json.dumps(order).encode() + b"\n", data)
                while left:
                    page = left.pop(0)
                    answer = await self._ask(process, page)
                    yield answer if isinstance(answer, PageText) else PageText(page, "", 0.0, error=answer)
                    if not isinstance(answer, PageText):
                        break  # the process is gone; the pages left get another one

    async def _open(self, process: asyncio.subprocess.Process, order: bytes, data: bytes) -> None:
        assert process.stdin is not None
        try:
            async with asyncio.timeout(_START_SECONDS):
                with suppress(ConnectionError):  # it died: reading its answer says how
                    process.stdin.write(order)
                    process.stdin.write(data)
                    await process.stdin.drain()
                answer = await _line(process)
        except TimeoutError:
            raise DocumentUnreadable(f"opening the file to recognise it takes more than {_START_SECONDS} s") from None
        if answer is None:
            code = await process.wait()
            if code == OUT_OF_MEMORY or code < 0:
                raise DocumentUnreadable(f"the file broke its reader: {self._death(code)}")
            raise RuntimeError(f"the recognising process ended with {code}; its complaint is in the worker's output")
        if "unreadable" in answer:
            raise DocumentUnreadable(str(answer["unreadable"]))

    async def _ask(self, process: asyncio.subprocess.Process, page: int) -> PageText | str:
        """The page, or why the process is gone."""
        assert process.stdin is not None
        try:
            async with asyncio.timeout(self._seconds):
                with suppress(ConnectionError):
                    process.stdin.write(b"%d\n" % page)
                    await process.stdin.drain()
                answer = await _line(process)
        except TimeoutError:
            return self._too_slow()
        if answer is None:
            return self._death(await process.wait())
        return PageText(**(answer | {"lines": [Line(**line) for line in answer["lines"]]}))

    def _death(self, code: int) -> str:
        if code == OUT_OF_MEMORY:
            return f"recognising the page needs more than {self._memory_bytes // 1_000_000} MB of memory"
        if code == -signal.SIGXCPU:
            return f"recognising the page takes more than {self._cpu_seconds} seconds of processor time"
        how = signal.Signals(-code).name if code < 0 else f"code {code}"
        return f"the page broke its reader ({how}): it is corrupt or needs too much memory"

    def _too_slow(self) -> str:
        return f"recognising the page takes longer than {self._seconds:g} seconds"


@asynccontextmanager
async def _process() -> AsyncIterator[asyncio.subprocess.Process]:
    """Its session is its own, so that a program it has started ends with it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "domain.knowledge.ocr_process",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=_ROOT,
        env={},  # a file that takes the process over finds no secrets in it
        start_new_session=True,
        limit=_LONGEST_ANSWER,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def _line(process: asyncio.subprocess.Process) -> dict[str, Any] | None:
    """What the process says next; None when it has died."""
    assert process.stdout is not None
    answer = await process.stdout.readline()
    said: dict[str, Any] | None = json.loads(answer) if answer.endswith(b"\n") else None
    return said
