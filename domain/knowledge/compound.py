"""Open the streams of an old Office file, which is a small file system of its own. Not for what is in them."""

import io

import olefile

from domain.errors import DocumentUnreadable

_MOST_STREAM = 200_000_000
"""Bytes. A stream of a whole file is no longer than it; a broken chain of sectors may seem to be."""


class Compound:
    """Raises DocumentUnreadable when the file is broken."""

    def __init__(self, data: bytes) -> None:
        try:
            self._file = olefile.OleFileIO(io.BytesIO(data))
        except (OSError, ValueError, IndexError) as error:  # what olefile makes of broken files
            raise DocumentUnreadable("the file is corrupt: its parts cannot be found") from error

    def stream(self, name: str) -> bytes:
        """None of its bytes when there is no such stream."""
        if not self._file.exists(name):
            return b""
        if self._file.get_size(name) > _MOST_STREAM:
            raise DocumentUnreadable(f"the file has a part of more than {_MOST_STREAM // 1_000_000} MB")
        try:
            return bytes(self._file.openstream(name).read())
        except OSError as error:
            raise DocumentUnreadable("the file is corrupt: a part of it breaks off") from error
