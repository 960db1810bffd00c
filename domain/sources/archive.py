"""Unpacks archives, hostile ones too, without writing a file: entries come one by one, within limits."""

import io
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from lzma import LZMAError
from pathlib import PurePosixPath
from typing import IO

from domain.errors import DocumentUnreadable, TooLarge

_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_JUNK = {"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"}
_PIECE = 1 << 16
_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    LZMAError,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
)
"""zipfile says RuntimeError for an entry with a password and NotImplementedError for a method it does not know."""


@dataclass(frozen=True, slots=True)
class UnpackLimits:
    """entries and total_bytes hold for an archive with all archives inside it; ratio is unpacked to packed."""

    entries: int = 5000
    total_bytes: int = 1_000_000_000
    entry_bytes: int = 50_000_000
    ratio: int = 200
    nesting: int = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """name: the path in the archive, below the archive's own name. data is None for one left out, and why says why."""

    name: str
    data: bytes | None = None
    why: str = ""


def is_archive(name: str) -> bool:
    return name.lower().endswith(_SUFFIXES)


def unpack(data: bytes, name: str, limits: UnpackLimits | None = None) -> Iterator[Entry]:
    """Every file inside, those of archives inside too. Raises DocumentUnreadable, TooLarge."""
    yield from _Unpacker(limits or UnpackLimits(), len(data)).files(data, name, 1)


class _Unpacker:
    def __init__(self, limits: UnpackLimits, packed: int) -> None:
        self._limits = limits
        self._entries = 0
        # Small archives of text may be packed tighter than any ratio that stops a bomb.
        self._room = min(limits.total_bytes, max(packed * limits.ratio, 1_000_000))

    def files(self, data: bytes, name: str, level: int) -> Iterator[Entry]:
        if level > self._limits.nesting:
            yield Entry(name, why=f"archives inside archives are opened {self._limits.nesting} deep")
            return
        members = self._zip(data) if zipfile.is_zipfile(io.BytesIO(data)) else self._tar(data)
        try:
            for raw in members:
                # Names are bytes of any encoding; what is no text is replaced.
                entry = replace(raw, name=raw.name.encode("utf-8", "replace").decode())
                path = _inside(entry.name)
                if path is None:
                    yield Entry(f"{name}/{_shown(entry.name)}", why="its path leads out of the archive")
                elif _JUNK & set(path.parts) or (entry.data is None and not entry.why):
                    continue
                elif entry.data is not None and is_archive(entry.name):
                    yield from self._nested(entry.data, f"{name}/{path}", level + 1)
                else:
                    yield Entry(f"{name}/{path}", entry.data, entry.why)
        except _BROKEN as error:
            raise DocumentUnreadable(f"{name} is not an archive that can be read ({type(error).__name__})") from None

    def _nested(self, data: bytes, name: str, level: int) -> Iterator[Entry]:
        try:
            yield from self.files(data, name, level)
        except DocumentUnreadable as error:
            yield Entry(name, why=error.detail)

    def _zip(self, data: bytes) -> Iterator[Entry]:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for info in archive.infolist():
                if info.is_dir():
                    continue
                self._count()
                if (info.external_attr >> 16) & 0o170000 == 0o120000:
                    yield Entry(info.filename, why="a link, not a file")
                elif info.flag_bits & 0x1:
                    yield Entry(info.filename, why="encrypted")
                else:
                    try:
                        with archive.open(info) as file:
                            yield self._read(info.filename, file)
                    except _BROKEN as error:
                        yield Entry(info.filename, why=f"broken ({type(error).__name__})")

    def _tar(self, data: bytes) -> Iterator[Entry]:
        # As a stream: the index of a packed archive is only known after unpacking all of it.
        with tarfile.open(fileobj=io.BytesIO(data), mode="r|*") as archive:
            for info in archive:
                self._count()
                if info.isreg():
                    file = archive.extractfile(info)
                    assert file is not None
                    yield self._read(info.name, file)
                elif not info.isdir():
                    yield Entry(info.name, why="a link or device, not a file")

    def _read(self, name: str, file: IO[bytes]) -> Entry:
        received, size = bytearray(), 0
        while piece := file.read(_PIECE):
            size += len(piece)
            self._room -= len(piece)
            if self._room < 0:
                raise TooLarge(
                    f"unpacked, the archive has more than {self._limits.total_bytes} bytes "
                    f"or {self._limits.ratio} times its size"
                )
            if size <= self._limits.entry_bytes:
                received += piece
        if size > self._limits.entry_bytes:
            return Entry(name, why=f"larger than {self._limits.entry_bytes} bytes")
        return Entry(name, bytes(received))

    def _count(self) -> None:
        self._entries += 1
        if self._entries > self._limits.entries:
            raise TooLarge(f"the archive has more than {self._limits.entries} files")


def _inside(name: str) -> PurePosixPath | None:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name or path.parts[0].endswith(":"):
        return None
    return path


def _shown(name: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in name)[:200]
