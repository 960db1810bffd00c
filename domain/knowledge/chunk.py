"""Cut a document's text into overlapping passages that keep to its headings and sentences."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID, uuid5

from domain.knowledge.extract import Extract, Span
from domain.knowledge.sentences import sentence_ends

TARGET = 1000
"""Weight at which a passage is full: about 250 tokens, half of what the embedder reads. One answer, not five."""

MOST = 1200
"""Weight a passage never exceeds: a table or a long sentence may fill it up to this."""

OVERLAP = 150
"""Weight repeated from the passage before, in whole sentences: an answer on a border is whole in one of the two."""

_WIDE = re.compile(r"[\u0e00-\u0e7f\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]")
_WIDE_EXTRA = 1.5  # Chinese needs 0.6 tokens a character where English needs 0.25


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage before it is indexed. Offsets are code points of the extracted text.

    heading is the path of headings above it, joined by " > ". The same text at the same place
    of the same document has the same id.
    """

    id: str
    heading: str
    page: int | None
    char_start: int
    char_end: int
    text: str


def chunk(extract: Extract, document_id: UUID) -> list[Chunk]:
    """Passages in order. Every code point of prose, table or code is in one, white space at borders aside."""
    chunks: list[Chunk] = []
    for heading, spans in _sections(extract):
        units = [unit for span in spans for unit in _units(extract.text, span)]
        for start, end in _packed(extract.text, units):
            text = extract.text[start:end]
            chunks.append(
                Chunk(
                    id=str(uuid5(document_id, f"{start}\n{text}")),
                    heading=heading,
                    page=spans[0].page,
                    char_start=start,
                    char_end=end,
                    text=text,
                )
            )
    return chunks


def weight(text: str) -> float:
    """Length as the embedder feels it: characters, those of scripts without spaces counted 2.5 times."""
    return len(text) + _WIDE_EXTRA * len(_WIDE.findall(text))


def _sections(extract: Extract) -> Iterator[tuple[str, list[Span]]]:
    """Stretches under one path of headings and on one page: a citation of a page must be true.

    A heading with nothing below it is text of its own.
    """
    path: list[Span] = []
    body: list[Span] = []
    for span in extract.spans:
        if span.kind != "heading":
            if body and span.page != body[-1].page:
                yield _joined(extract.text, path), body
                body = []
            body.append(span)
            continue
        if body:
            yield _joined(extract.text, path), body
        elif path and path[-1].level >= span.level:
            yield _joined(extract.text, path[:-1]), [path[-1]]
        body = []
        path = [above for above in path if above.level < span.level] + [span]
    if body:
        yield _joined(extract.text, path), body
    elif path:
        yield _joined(extract.text, path[:-1]), [path[-1]]


def _joined(text: str, path: list[Span]) -> str:
    return " > ".join(" ".join(text[span.start : span.end].split()) for span in path)


def _units(text: str, span: Span) -> Iterator[tuple[int, int]]:
    """The smallest stretches to keep whole: sentences, and a table or code that fits."""
    if span.kind == "code" and weight(text[span.start : span.end]) <= MOST:
        yield span.start, span.end
        return
    start = span.start
    for end in sentence_ends(text, span.start, span.end):
        while end - start > MOST or weight(text[start:end]) > MOST:  # a megabyte without a sentence is weighed last
            cut = _cut(text, start, end)
            yield start, cut
            start = cut
        if start < end:
            yield start, end
        start = end


def _cut(text: str, start: int, end: int) -> int:
    """Where to break a stretch that is too long for a passage: at a space if there is one, else anywhere."""
    stop = start
    room = float(TARGET)
    while stop < end and room > 0:
        room -= 1 + _WIDE_EXTRA * bool(_WIDE.match(text[stop]))
        stop += 1
    space = max(text.rfind(" ", start, stop), text.rfind("\n", start, stop))
    return space + 1 if space > start + (stop - start) // 2 else stop


def _packed(text: str, units: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    first = 0
    while first < len(units):
        start = units[first][0]
        last = first
        while last + 1 < len(units) and _fits(text, start, units, last):
            last += 1
        stretch = text[start : units[last][1]]
        if stretch.strip():
            yield start + len(stretch) - len(stretch.lstrip()), start + len(stretch.rstrip())
        if last + 1 == len(units):
            return
        first = _overlapping(text, units, first, last)


def _fits(text: str, start: int, units: list[tuple[int, int]], last: int) -> bool:
    grown = weight(text[start : units[last + 1][1]])
    return grown <= TARGET or (grown <= MOST and weight(text[start : units[last][1]]) < TARGET / 2)


def _overlapping(text: str, units: list[tuple[int, int]], first: int, last: int) -> int:
    """The first unit of the next passage: as far back as the overlap allows, and always further than `first`.

    The unit after must still fit beside the overlap; otherwise the next passage would hold nothing new.
    """
    next_first = last + 1
    new_end = units[last + 1][1]
    while next_first - 1 > first:
        back = units[next_first - 1][0]
        if weight(text[back : units[last][1]]) > OVERLAP or weight(text[back:new_end]) > TARGET:
            break
        next_first -= 1
    return next_first
