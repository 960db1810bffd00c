"""A divided collection finds what a whole one does, is divided anew when it has grown, and keeps one division."""

from pathlib import Path
from uuid import uuid4

import lancedb
import numpy as np
import pyarrow as pa

from domain.knowledge.disk_view import DiskView
from domain.knowledge.lance import Table, schema
from domain.knowledge.vector_index import divide, parts_for, parts_of, probes

DIMENSIONS = 16
ROWS = 6_000


def clustered() -> np.ndarray:
    rng = np.random.default_rng(3)
    topics = rng.standard_normal((60, DIMENSIONS)).astype(np.float32)
    vectors = topics[rng.integers(0, 60, ROWS)] + 0.3 * rng.standard_normal((ROWS, DIMENSIONS)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


async def stored(folder: Path, vectors: np.ndarray) -> Table:
    names = schema(DIMENSIONS)
    nothing = {field.name: pa.nulls(ROWS, field.type) for field in names}
    columns = nothing | {
        name: pa.array([str(uuid4()) for _ in range(ROWS)])
        for name in names.names
        if names.field(name).type == "string"
    }
    columns |= {"vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), DIMENSIONS)}
    columns |= {name: pa.array([0] * ROWS, pa.int64()) for name in ("revision", "char_start", "char_end")}
    connection = await lancedb.connect_async(folder)
    return await connection.create_table("passages", pa.table(columns, schema=names))


async def test_a_divided_collection_finds_what_the_whole_one_does(tmp_path: Path) -> None:
    vectors = clustered()
    table = await stored(tmp_path, vectors)
    await divide(table, 12_800)
    assert await parts_of(table) == 16
    assert probes(16) < 16, "a part of it is searched"
    view = await DiskView.load(uuid4(), table, schema(DIMENSIONS))
    found = 0
    for question in vectors[::300]:
        nearest = await view.nearest(question, 30)
        best = set(np.argsort(-(vectors @ question))[:30].tolist())
        found += len(best & nearest.keys())
        cosines = await view.cosines(list(nearest), question)
        assert all(abs(nearest[row] - cosines[row]) < 1e-3 for row in nearest), "rows are the same passages"
    assert found >= 0.97 * 30 * len(vectors[::300])


async def test_it_is_divided_anew_only_when_it_has_outgrown_its_parts(tmp_path: Path) -> None:
    table = await stored(tmp_path, clustered())
    await divide(table, 12_800)
    await divide(table, 20_000)
    assert await parts_of(table) == 16
    await divide(table, 52_000)
    assert await parts_of(table) == parts_for(52_000) == 65
    assert [index.name for index in await table.list_indices()] == ["vector_65"]
