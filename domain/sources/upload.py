"""Files that came in one request: archives among them are unpacked, and each file inside becomes a document."""

import asyncio
import hashlib
from uuid import UUID

from db.tables.sources import SourceItem
from domain.errors import DocumentUnreadable, NotFound, TooLarge
from domain.knowledge.storage import Storage
from domain.sources.archive import Entry, UnpackLimits, is_archive, unpack
from domain.sources.config import UploadConfig
from domain.sources.found import Found, Limits, Seed

_NAME_CHARS = 255


def upload_prefix(source_id: UUID) -> str:
    """Everything kept of an upload until its documents have their own copies."""
    return f"sources/{source_id}"


def upload_key(source_id: UUID, number: int) -> str:
    return f"{upload_prefix(source_id)}/uploaded/{number}"


class Upload:
    def __init__(
        self, config: UploadConfig, storage: Storage, org_id: UUID, source_id: UUID, unpacking: UnpackLimits
    ) -> None:
        self._config = config
        self._storage = storage
        self._org_id = org_id
        self._source_id = source_id
        self._unpacking = unpacking
        self.limits = Limits(items=len(config.files) + unpacking.entries)

    async def seeds(self) -> list[Seed]:
        """Unpacks. An archive that cannot be read, or is over a limit, is a failed item; the other files go on."""
        seeds: list[Seed] = []
        for file in self._config.files:
            data = await self._storage.get(self._org_id, file.key)
            if is_archive(file.name):
                seeds += await self._unpacked(data, file.name)
            else:
                seeds.append(await self._kept(Entry(file.name, data)))
        return seeds

    async def read(self, item: SourceItem) -> Found:
        try:
            body = await self._storage.get(self._org_id, self._place(item.key))
        except NotFound as error:
            return Found("failed", error.detail)
        return Found("stored", body=body, filename=item.key[-_NAME_CHARS:])

    def pause(self, key: str) -> float:
        return 0.0

    async def close(self) -> None:
        return

    async def _unpacked(self, data: bytes, name: str) -> list[Seed]:
        seeds: list[Seed] = []
        entries = unpack(data, name, self._unpacking)
        try:
            while (entry := await asyncio.to_thread(next, entries, None)) is not None:
                seeds.append(await self._kept(entry))
        except (DocumentUnreadable, TooLarge) as error:
            # Nothing of an archive that is over a limit is taken: half of one would look like all of it.
            return [Seed(name, "failed", error.detail)]
        return seeds

    async def _kept(self, entry: Entry) -> Seed:
        if entry.data is None:
            return Seed(entry.name, "skipped", entry.why)
        await self._storage.put(self._org_id, self._place(entry.name), entry.data)
        return Seed(entry.name)

    def _place(self, name: str) -> str:
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
        return f"{upload_prefix(self._source_id)}/files/{digest}"
