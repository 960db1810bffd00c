"""What knowledge tests stand on: the real embedder, converted once a checkout, and collections made of texts."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from temporalio.client import Client

from contracts.ingest import IngestInput
from db.engine import Database
from domain.knowledge.chunk import chunk
from domain.knowledge.e5 import E5Embedder
from domain.knowledge.index import embedded_text
from domain.knowledge.parse import parse
from domain.knowledge.search import Knowledge
from tests.knowledge.library import Library

MODELS = Path(__file__).parents[2] / "build" / "models"

Ingest = Callable[..., Awaitable[IngestInput]]


@pytest.fixture(scope="session")
async def embedder() -> AsyncIterator[E5Embedder]:
    embedder = E5Embedder(MODELS)
    await embedder.warm()
    yield embedder
    embedder.close()


@pytest.fixture
def knowledge(tmp_path: Path, embedder: E5Embedder) -> Knowledge:
    return Knowledge(tmp_path / "lance", embedder)


@pytest.fixture
def put(knowledge: Knowledge) -> Ingest:
    """Index a text as a document, without a database or a workflow."""

    async def put(
        text: str,
        *,
        org_id: UUID,
        collection_id: UUID,
        document_id: UUID | None = None,
        revision: int = 1,
        name: str = "page.md",
    ) -> IngestInput:
        document = IngestInput(
            org_id=org_id, collection_id=collection_id, document_id=document_id or uuid4(), revision=revision
        )
        extract = parse(text.encode(), name)
        chunks = chunk(extract, document.document_id)
        vectors = await knowledge.embedder.passages([embedded_text(extract.title, each) for each in chunks])
        await knowledge.index.replace(document, extract.title, chunks, vectors)
        return document

    return put


@pytest.fixture
async def library(
    database: Database, temporal_client: Client, org: UUID, tmp_path: Path, knowledge: Knowledge
) -> Library:
    library = Library(database, temporal_client, org, tmp_path, knowledge)
    await library.open()
    return library
