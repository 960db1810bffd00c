"""Text recognised on scans, kept by the bytes it was recognised in: a page is recognised once, whoever asks again."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

from domain.errors import NotFound
from domain.knowledge.extract import Block
from domain.knowledge.storage import Storage, recognised_key


@dataclass(frozen=True, slots=True)
class RecognisedPage:
    """page counts from 1; confidence is 0..1, or None where the engine gives none."""

    page: int
    text: str
    confidence: float | None

    def blocks(self) -> Sequence[Block]:
        """Its paragraphs, in reading order."""
        return [Block("prose", part, page=self.page) for part in re.split(r"\n[ \t]*\n", self.text) if part.strip()]


class RecognisedPages:
    """Of documents of one storage. Later versions and retries of a document find what was recognised before."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def keep(self, org_id: UUID, document_id: UUID, sha256: str, page: RecognisedPage) -> None:
        """Idempotent."""
        await self._storage.put(
            org_id, recognised_key(document_id, sha256, page.page), json.dumps(asdict(page)).encode()
        )

    async def kept(self, org_id: UUID, document_id: UUID, sha256: str, pages: Iterable[int]) -> list[RecognisedPage]:
        """Those of the pages that were recognised, in the order asked for."""
        found = []
        for page in pages:
            try:
                data = await self._storage.get(org_id, recognised_key(document_id, sha256, page))
            except NotFound:
                continue
            found.append(RecognisedPage(**json.loads(data)))
        return found

    async def forget(self, org_id: UUID, document_id: UUID, sha256: str, page: int) -> None:
        """The next run recognises it anew. Idempotent."""
        await self._storage.delete(org_id, recognised_key(document_id, sha256, page))
