"""Embedding and reranking by a provider speak its real wire format, and its faults are told apart."""

import json
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from contracts.ingest import IngestInput
from domain.errors import EmbeddingMismatch, ProviderGarbage, ProviderRejected, ProviderUnavailable
from domain.knowledge.chunk import chunk
from domain.knowledge.e5 import E5Embedder
from domain.knowledge.openai_embedder import OpenAIEmbedder
from domain.knowledge.parse import parse
from domain.knowledge.rerank_http import HttpReranker
from domain.knowledge.search import Knowledge
from tests.knowledge.conftest import Ingest
from tests.wire_server import serving, whole


def embeddings(*rows: list[float]) -> str:
    data = [{"object": "embedding", "index": n, "embedding": row} for n, row in enumerate(rows)]
    return json.dumps({"object": "list", "data": data[::-1], "model": "m", "usage": {"prompt_tokens": 1}})


def ranking(*scores: float) -> str:
    return json.dumps({"results": [{"index": n, "relevance_score": score} for n, score in enumerate(scores)]})


async def test_passages_go_out_in_batches_and_come_back_in_order_and_of_length_one() -> None:
    texts = [f"text {n}" for n in range(70)]
    answers = [whole(200, embeddings(*[[3.0, 4.0]] * 64)), whole(200, embeddings(*[[0.0, n + 1.0] for n in range(6)]))]
    async with serving(*answers) as server:
        embedder = OpenAIEmbedder(base_url=server.url + "/v1", model="m", dimensions=2, api_key="k", shorten=True)
        vectors = await embedder.passages(texts)
        await embedder.close()
    assert vectors.shape == (70, 2)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert server.lines[0].startswith("POST /v1/embeddings")
    assert server.headers[0]["authorization"] == "Bearer k"
    assert sorted(len(each["input"]) for each in server.requests) == [6, 64]
    assert {each["model"] for each in server.requests} == {"m"}
    assert {each["dimensions"] for each in server.requests} == {2}


async def test_a_question_is_asked_once() -> None:
    async with serving(whole(200, embeddings([1.0, 0.0]))) as server:
        embedder = OpenAIEmbedder(base_url=server.url, model="m", dimensions=2)
        assert (await embedder.query("why?") == await embedder.query("why?")).all()
        await embedder.close()
    assert len(server.requests) == 1
    assert "authorization" not in server.headers[0]


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (429, "{}", ProviderUnavailable),
        (503, "{}", ProviderUnavailable),
        (401, "{}", ProviderRejected),
        (200, "not json", ProviderGarbage),
        (200, '{"data": []}', ProviderGarbage),
        (200, embeddings([1.0, 2.0, 3.0]), ProviderGarbage),
        (200, embeddings([0.0, 0.0]), ProviderGarbage),
        (200, '{"data": [{"index": 0, "embedding": ["a", "b"]}]}', ProviderGarbage),
    ],
)
async def test_a_fault_of_an_embedding_server_has_a_name(status: int, body: str, error: type[Exception]) -> None:
    async with serving(whole(status, body)) as server:
        embedder = OpenAIEmbedder(base_url=server.url, model="m", dimensions=2)
        with pytest.raises(error):
            await embedder.query("why?")
        await embedder.close()


async def test_a_server_that_is_away_is_unavailable() -> None:
    embedder = OpenAIEmbedder(base_url="http://127.0.0.1:9", model="m", dimensions=2)
    with pytest.raises(ProviderUnavailable):
        await embedder.query("why?")
    await embedder.close()


async def test_a_collection_refuses_vectors_of_another_length(
    tmp_path: Path, knowledge: Knowledge, put: Ingest
) -> None:
    org, collection = uuid4(), uuid4()
    await put("# A\n\nRefunds take thirty days.", org_id=org, collection_id=collection)
    async with serving(whole(200, embeddings([1.0, 0.0]))) as server:
        embedder = OpenAIEmbedder(base_url=server.url, model="m", dimensions=2)
        other = Knowledge(tmp_path / "lance", embedder)
        with pytest.raises(EmbeddingMismatch, match="384 dimensions, the embedding model makes 2"):
            await other.search(org, [collection], "refunds")
        document = IngestInput(org_id=org, collection_id=collection, document_id=uuid4())
        chunks = chunk(parse(b"# B\n\nParcels.", "b.md"), document.document_id)
        with pytest.raises(EmbeddingMismatch):
            await other.index.replace(document, "B", chunks, await embedder.passages(["x"] * len(chunks)))
        fresh = IngestInput(org_id=org, collection_id=uuid4(), document_id=uuid4())
        await other.index.replace(fresh, "B", chunks, await embedder.passages(["x"] * len(chunks)))
        assert len(await other.search(org, [fresh.collection_id], "parcels")) == 1
        await embedder.close()


async def three(put: Ingest) -> tuple[object, object]:
    org, collection = uuid4(), uuid4()
    for text in ("# A\n\nRefunds take thirty days.", "# B\n\nRefunds of cards.", "# C\n\nNo refunds of gifts."):
        await put(text, org_id=org, collection_id=collection)
    return org, collection


async def test_a_provider_orders_the_passages(tmp_path: Path, embedder: E5Embedder, put: Ingest) -> None:
    org, collection = await three(put)
    async with serving(whole(200, ranking(0.1, 0.2, 0.9))) as server:
        reranker = HttpReranker(base_url=server.url + "/v2", model="r", api_key="k")
        knowledge = Knowledge(tmp_path / "lance", embedder, provider_reranker=reranker)
        local = await knowledge.find(org, [collection], "refunds", rerank="off")  # type: ignore[arg-type, list-item]
        found = await knowledge.find(org, [collection], "refunds", rerank="provider")  # type: ignore[arg-type, list-item]
        await reranker.close()
    assert local.reranker is None
    assert found.reranker == "r"
    assert [p.id for p in found.passages] == [p.id for p in local.passages][::-1]
    assert [p.explanation["reranked"] for p in found.passages] == [0.9, 0.2, 0.1]
    assert server.lines == ["POST /v2/rerank HTTP/1.1"]
    assert server.requests[0]["documents"] == [p.whole for p in local.passages]
    assert server.requests[0]["query"] == "refunds"


@pytest.mark.parametrize("answer", [(500, "{}"), (401, "{}"), (200, "[]"), (200, ranking(0.5)), (200, "nonsense")])
async def test_a_search_goes_on_without_a_reranker_that_fails(
    tmp_path: Path, embedder: E5Embedder, put: Ingest, answer: tuple[int, str]
) -> None:
    org, collection = await three(put)
    async with serving(whole(*answer)) as server:
        reranker = HttpReranker(base_url=server.url, model="r")
        knowledge = Knowledge(tmp_path / "lance", embedder, provider_reranker=reranker)
        found = await knowledge.find(org, [collection], "refunds", rerank="provider")  # type: ignore[arg-type, list-item]
        await reranker.close()
    assert found.reranker == "words"
    assert len(found.passages) == 3
