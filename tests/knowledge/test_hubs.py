"""What is near to everything gives way to what is near to this question, in memory and on disk alike."""

from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from contracts.ingest import IngestInput
from domain.knowledge.chunk import Chunk
from domain.knowledge.e5 import E5Embedder
from domain.knowledge.hub import centre, hubs
from domain.knowledge.search import Knowledge

_CROWD = 200


def _around(direction: np.ndarray, spread: float, random: np.random.Generator) -> np.ndarray:
    vector = direction + spread * random.standard_normal(len(direction)) / np.sqrt(len(direction))
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def test_hubs_are_nothing_on_average_and_most_for_the_passage_in_the_middle() -> None:
    random = np.random.default_rng(1)
    middle = random.standard_normal(384)
    vectors = np.stack([_around(middle, 20.0, random) for _ in range(_CROWD)] + [_around(middle, 0.0, random)])
    found = hubs(vectors, centre(vectors), len(vectors))
    assert abs(float(found.mean())) < 1e-6
    assert int(found.argmax()) == _CROWD


def test_one_passage_alone_is_no_hub() -> None:
    vectors = np.eye(1, 384, dtype=np.float32)
    assert hubs(vectors, centre(vectors), 1).tolist() == [0.0]


@pytest.mark.parametrize("most_held", [20_000, 0])
async def test_a_passage_near_to_everything_comes_after_one_near_to_the_question(
    tmp_path: Path, embedder: E5Embedder, most_held: int
) -> None:
    random = np.random.default_rng(2)
    middle = random.standard_normal(384)
    question = _around(middle, 20.0, random)
    hub = _around(middle, 0.0, random)
    own = (question @ hub) * question + random.standard_normal(384) / 25
    answer = np.asarray(own / np.linalg.norm(own), np.float32)
    nearness = float(question @ answer) - float(question @ hub)
    assert nearness < 0, "by the cosine alone the hub would be first"
    vectors = np.stack([hub, answer, *(_around(middle, 20.0, random) for _ in range(_CROWD))])
    document = IngestInput(org_id=uuid4(), collection_id=uuid4(), document_id=uuid4())
    chunks = [Chunk(str(uuid4()), "", None, n * 100, n * 100 + 9, f"passage {n}") for n in range(len(vectors))]
    knowledge = Knowledge(tmp_path / "lance", embedder, most_held=most_held)
    await knowledge.index.replace(document, "", chunks, vectors)
    await knowledge.index.tidy(document.org_id, document.collection_id)
    found = await knowledge.search(document.org_id, [document.collection_id], "unknown words", vector=question)
    assert found[0].text == "passage 1"
