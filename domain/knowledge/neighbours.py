"""Show a found passage with the text around it, as it stands in the document. Not for finding passages: `search.py`."""

from collections.abc import Sequence
from dataclasses import replace

from domain.knowledge.passage import Passage

_GAP = 8
"""White space at most between two passages of one section; what is further away has something in between."""


def widened(found: Sequence[Passage], near: Sequence[Passage], count: int) -> list[Passage]:
    """Each found passage with up to `count` passages before and behind it, in their order.

    Only text of the same section on the same page is added, and none that another of them shows already. The
    span is that of the whole text in its document; white space between passages may be of another kind there.
    """
    shown = [(one.document_id, one.char_start, one.char_end) for one in found]
    wide: list[Passage] = []
    for place, passage in enumerate(found):
        beside = [one for one in near if _same_section(one, passage)]
        others = [
            (start, end)
            for n, (document, start, end) in enumerate(shown)
            if n != place and document == passage.document_id
        ]
        grown = _behind(_before(passage, beside, others, count), beside, others, count)
        shown[place] = (grown.document_id, grown.char_start, grown.char_end)
        wide.append(grown)
    return wide


def _same_section(one: Passage, other: Passage) -> bool:
    return (one.collection_id, one.document_id, one.heading, one.page) == (
        other.collection_id,
        other.document_id,
        other.heading,
        other.page,
    )


def _before(passage: Passage, beside: Sequence[Passage], others: Sequence[tuple[int, int]], count: int) -> Passage:
    for _ in range(count):
        start = passage.char_start
        earlier = [one for one in beside if one.char_start < start <= one.char_end + _GAP]
        if not earlier:
            break
        last = max(earlier, key=lambda one: one.char_start)
        taken = max((end for first, end in others if first < start), default=last.char_start)
        if taken >= start:
            break
        begin = max(last.char_start, taken)
        added = last.text[begin - last.char_start : start - last.char_start]
        passage = replace(passage, char_start=begin, text=added.ljust(start - begin, "\n") + passage.text)
    return passage


def _behind(passage: Passage, beside: Sequence[Passage], others: Sequence[tuple[int, int]], count: int) -> Passage:
    for _ in range(count):
        end = passage.char_end
        later = [one for one in beside if one.char_start - _GAP <= end < one.char_end]
        if not later:
            break
        following = min(later, key=lambda one: one.char_end)
        taken = min((first for first, last in others if last > end), default=following.char_end)
        if taken <= end:
            break
        stop = min(following.char_end, taken)
        added = following.text[max(0, end - following.char_start) : max(0, stop - following.char_start)]
        passage = replace(passage, char_end=stop, text=passage.text + added.rjust(stop - end, "\n"))
    return passage
