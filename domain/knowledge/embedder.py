"""What turns text into vectors, as the rest of the house sees it."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]


class Embedder(Protocol):
    """Vectors are L2-normalised float32 of `dimensions`, so a dot product is the cosine."""

    name: str
    dimensions: int

    async def query(self, text: str) -> Vector:
        """One question. Equal texts asked at the same time or lately cost one computation."""
        ...

    async def passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Shape (len(texts), dimensions). Runs off the event loop; order is kept."""
        ...
