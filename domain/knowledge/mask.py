"""Filters over an Arrow table in memory, meaning the same as their SQL on disk."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from domain.knowledge.filters import Filters, milliseconds


def mask(filters: Filters, rows: Any) -> Any:
    """A boolean for each row, as numpy."""
    held: Any = pc.is_valid(rows["document_id"])
    if filters.document_ids:
        held = pc.and_(held, pc.is_in(rows["document_id"], value_set=_array(map(str, filters.document_ids))))
    if filters.media_types:
        kinds = pc.is_in(rows["media_type"], value_set=_array(filters.media_types))
        for kind in filters.media_types:
            if kind.endswith("/"):
                kinds = pc.or_(kinds, pc.starts_with(rows["media_type"], pattern=kind))
        held = pc.and_(held, kinds)
    if filters.titles:
        held = pc.and_(held, pc.is_in(rows["title"], value_set=_array(filters.titles)))
    if filters.revision is not None:
        held = pc.and_(held, pc.equal(rows["revision"], filters.revision))
    if filters.indexed_after is not None:
        held = pc.and_(held, pc.greater(rows["indexed_at"], milliseconds(filters.indexed_after)))
    if filters.indexed_before is not None:
        held = pc.and_(held, pc.less(rows["indexed_at"], milliseconds(filters.indexed_before)))
    for pairs in filters.labelled:
        held = pc.and_(held, _with_any(rows["labels"], pairs))
    return held.to_numpy(zero_copy_only=False)


def _with_any(labels: Any, pairs: list[str]) -> Any:
    lists = labels.combine_chunks()  # rows are counted chunk by chunk otherwise
    having = np.zeros(len(lists), bool)
    having[pc.list_parent_indices(lists).filter(pc.is_in(pc.list_flatten(lists), value_set=_array(pairs)))] = True
    return pa.array(having)


def _array(values: Iterable[str]) -> Any:
    return pa.array(list(values), pa.string())
