"""How finely the vectors of a large collection are divided, so that a question is compared with a part of them.

Its name says it (`vector_128`), as LanceDB tells nobody. Not for small collections: those are compared whole.
"""

import math
import re
from collections.abc import Sequence

from lancedb.index import IvfSq

from domain.knowledge.lance import Table

FLAT_ROWS = 50_000
"""Below, comparing with every vector is fast enough."""

_PART_ROWS = 800
_MOST_PARTS = 512
_GROWN = 2
"""Divided anew when the collection has grown so many times: what is searched grows with its parts."""

_NAME = re.compile(r"vector_(\d+)")


def parts_for(rows: int) -> int:
    """LanceDB's own choice compares with every vector of 100,000: 10 ms of a core, and 5 with these."""
    return max(1, min(_MOST_PARTS, rows // _PART_ROWS))


def probes(parts: int) -> int:
    """Parts that are searched: recall of the 30 nearest .99 and more at 100,000 and at 1,000,000."""
    return math.ceil(3 * math.sqrt(parts))


async def parts_of(table: Table) -> int | None:
    """None while the vectors are not divided."""
    return _parts(await _names(table))


async def divide(table: Table, rows: int) -> None:
    """Divide the vectors unless they are divided well enough. Idempotent; searches go on meanwhile."""
    old = await _names(table)
    parts, now = parts_for(rows), _parts(old)
    if now is not None and parts < _GROWN * now:
        return
    # A fifth of the library's effort: recall at 100,000 is the same.
    config = IvfSq(distance_type="cosine", num_partitions=parts, max_iterations=20, sample_rate=128)
    await table.create_index("vector", config=config, name=f"vector_{parts}")  # type: ignore[arg-type]  # missing in its hint
    for name in old:
        await table.drop_index(name)


async def _names(table: Table) -> list[str]:
    return [index.name for index in await table.list_indices() if index.columns == ["vector"]]


def _parts(names: Sequence[str]) -> int | None:
    found = [_NAME.fullmatch(name) for name in names]
    return max((int(match[1]) for match in found if match), default=None)
