"""Where originals and what was extracted from them are kept, by organisation. Not for passages: those are indexed."""

import asyncio
import os
import shutil
from pathlib import Path, PurePosixPath
from typing import Protocol
from uuid import UUID, uuid4

from domain.errors import NotFound


class Storage(Protocol):
    """Objects by key. Keys are relative paths with "/"; one organisation cannot name another's."""

    async def put(self, org_id: UUID, key: str, data: bytes) -> None:
        """Whole or not at all; replaces what was there. Idempotent."""
        ...

    async def get(self, org_id: UUID, key: str) -> bytes:
        """Raises NotFound."""
        ...

    async def delete(self, org_id: UUID, prefix: str) -> None:
        """Everything at and below a key. Idempotent."""
        ...


def document_prefix(document_id: UUID) -> str:
    """Everything kept of a document; delete it together with the document's row."""
    return f"documents/{document_id}"


def original_key(document_id: UUID, sha256: str) -> str:
    """The uploaded bytes. Named by content, so a repeated upload writes the same object."""
    return f"{document_prefix(document_id)}/original-{sha256}"


def revision_prefix(document_id: UUID, revision: int) -> str:
    """Everything that one run of the ingestion made of a document."""
    return f"{document_prefix(document_id)}/{revision}"


def extracted_key(document_id: UUID, revision: int) -> str:
    """The extracted text as UTF-8. Offsets of passages count its code points."""
    return f"{revision_prefix(document_id, revision)}/text"


def recognised_key(document_id: UUID, sha256: str, page: int) -> str:
    """What was recognised on a scan in these bytes, as JSON."""
    return f"{document_prefix(document_id)}/recognised-{sha256}/{page}.json"


def extract_key(document_id: UUID, revision: int) -> str:
    """What was read of a file whose scans are still to be recognised, as JSON."""
    return f"{batches_prefix(document_id, revision)}/extract.json"


def batches_prefix(document_id: UUID, revision: int) -> str:
    """What only a running ingestion needs; delete it at its end."""
    return f"{revision_prefix(document_id, revision)}/batches"


def chunks_key(document_id: UUID, revision: int, start: int) -> str:
    """Chunks of the batch that begins at passage `start`, as JSON."""
    return f"{batches_prefix(document_id, revision)}/{start}.json"


def vectors_key(document_id: UUID, revision: int, start: int) -> str:
    """Their vectors, as float32 in rows."""
    return f"{batches_prefix(document_id, revision)}/{start}.vectors"


def key_parts(key: str) -> tuple[str, ...]:
    """Raises ValueError for a key that is absolute, empty or leads upwards."""
    parts = PurePosixPath(key).parts
    if not parts or parts[0] == "/" or ".." in parts:
        raise ValueError(f"not a key: {key!r}")
    return parts


class LocalStorage:
    """Objects as files under `folder/<org>/`. For one machine; several need shared storage."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, org_id: UUID, key: str, data: bytes) -> None:
        await asyncio.to_thread(_write, self._path(org_id, key), data)

    async def get(self, org_id: UUID, key: str) -> bytes:
        try:
            return await asyncio.to_thread(self._path(org_id, key).read_bytes)
        except FileNotFoundError:
            raise NotFound(f"nothing is stored as {key}") from None

    async def delete(self, org_id: UUID, prefix: str) -> None:
        await asyncio.to_thread(_remove, self._path(org_id, prefix))

    def _path(self, org_id: UUID, key: str) -> Path:
        return self._folder.joinpath(str(org_id), *key_parts(key))


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{uuid4().hex}")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        # The database commits "stored" right after this; a power cut must not leave an empty file behind it.
        os.fsync(file.fileno())
    draft.replace(path)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
