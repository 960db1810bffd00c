"""Vectors of texts that were embedded before, in one file under build/, so that a bench embeds a text once."""

import hashlib
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from domain.knowledge.embedder import Embedder, Vector

_AT_ONCE = 64


class CachedEmbedder:
    """An embedder whose passages and questions are kept by model name and text."""

    def __init__(self, embedder: Embedder, file: Path) -> None:
        self._embedder = embedder
        self.name, self.dimensions = embedder.name, embedder.dimensions
        file.parent.mkdir(parents=True, exist_ok=True)
        self._kept = sqlite3.connect(file, timeout=60, isolation_level=None)
        self._kept.execute("create table if not exists vector (key text primary key, data blob not null)")
        self.embedded_seconds = 0.0

    async def query(self, text: str) -> Vector:
        key = self._key("query", text)
        known = self._read([key]).get(key)
        if known is not None:
            return known
        vector = await self._embedder.query(text)
        self._write({key: vector})
        return vector

    async def passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        keys = [self._key("passage", text) for text in texts]
        known = self._read(keys)
        missing = [(key, text) for key, text in zip(keys, texts, strict=True) if key not in known]
        started = time.monotonic()
        for start in range(0, len(missing), _AT_ONCE):
            part = missing[start : start + _AT_ONCE]
            made = await self._embedder.passages([text for _, text in part])
            fresh = {key: vector for (key, _), vector in zip(part, made, strict=True)}
            self._write(fresh)
            known |= fresh
        self.embedded_seconds += time.monotonic() - started
        return np.stack([known[key] for key in keys]) if keys else np.empty((0, self.dimensions), np.float32)

    def _key(self, kind: str, text: str) -> str:
        return hashlib.sha256(f"{self.name}\0{kind}\0{text}".encode()).hexdigest()

    def _read(self, keys: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        found: dict[str, NDArray[np.float32]] = {}
        for start in range(0, len(keys), 500):
            part = keys[start : start + 500]
            marks = ",".join("?" * len(part))
            for key, data in self._kept.execute(f"select key, data from vector where key in ({marks})", part):
                found[key] = np.frombuffer(data, np.float32)
        return found

    def _write(self, vectors: dict[str, NDArray[np.float32]]) -> None:
        rows = [(key, vector.astype(np.float32).tobytes()) for key, vector in vectors.items()]
        self._kept.executemany("insert or replace into vector values (?, ?)", rows)
