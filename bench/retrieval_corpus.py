"""A judged set as an indexed collection: cut, embedded and written by the product's own code, kept for the next run."""

import hashlib
import json
from pathlib import Path
from uuid import NAMESPACE_OID, UUID, uuid5

import domain.knowledge.lance as layout
from bench.retrieval_sets import JudgedSet, Text
from contracts.ingest import IngestInput
from domain.knowledge.chunk import Chunk, chunk
from domain.knowledge.extract import Block, assemble
from domain.knowledge.index import embedded_text
from domain.knowledge.parse import parse
from domain.knowledge.search import Knowledge

_ORG = UUID(int=1)


class Corpus:
    """A text of the set is a document; `text_of` names the text of a document's id."""

    def __init__(self, knowledge: Knowledge, folder: Path, judged: JudgedSet) -> None:
        self.knowledge, self.org_id = knowledge, _ORG
        self.passages = 0
        self.text_of: dict[UUID, str] = {}
        self._texts = judged.texts
        listed = json.dumps([[text.id, text.title, text.text] for text in judged.texts])
        shape = repr(layout.schema()) + repr(layout.word_index()) + str(layout.RECIPE)
        self.collection_id = uuid5(NAMESPACE_OID, hashlib.sha256((listed + shape).encode()).hexdigest())
        self._done = folder / f"{self.collection_id}.done"

    async def fill(self) -> None:
        """Idempotent: one commit a document, and nothing at all when an earlier run did it."""
        done = self._done.exists()
        for text in self._texts:
            document_id = uuid5(self.collection_id, text.id)
            self.text_of[document_id] = text.id
            chunks = passages_of(text, document_id)
            self.passages += len(chunks)
            if done:
                continue
            document = IngestInput(org_id=self.org_id, collection_id=self.collection_id, document_id=document_id)
            vectors = await self.knowledge.embedder.passages([embedded_text(text.title, one) for one in chunks])
            await self.knowledge.index.replace(document, text.title, chunks, vectors)
        if not done:
            await self.knowledge.index.tidy(self.org_id, self.collection_id)
            self._done.touch()


def passages_of(text: Text, document_id: UUID) -> list[Chunk]:
    if text.markdown:
        return chunk(parse(text.text.encode(), "text.md"), document_id)
    blocks = [Block("prose", text.text)]
    return chunk(assemble(blocks, title=text.title, media_type="text/plain", pages=0), document_id)
