"""Write rows as a Markdown pipe table. A long one is cut, and every part says its columns again."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from domain.knowledge.extract import Block

_PART = 1_000
"""Characters of a part: what one passage holds (`chunk.TARGET`). A row without its header answers nothing."""

_WHOLE = 1_200
"""Characters of a table that stays one: `chunk.MOST`."""

_MOST_HEADER = 300
"""A longer header is not said again: it would be most of every part."""

_MOST_PADDED = 2_000_000
"""Cells of a table that is written with all its empty ones; a scattered one lists each row's own."""


def table(rows: Iterable[Sequence[str]], page: int | None = None) -> list[Block]:
    """Blocks of one table. The first row is its header; rows may differ in length; empty rows at the ends go."""
    lines = [[_cell(text) for text in row] for row in rows]
    while lines and not any(lines[-1]):
        lines.pop()
    while lines and not any(lines[0]):
        lines.pop(0)
    width = max((len(_trimmed(line)) for line in lines), default=0)
    if not width:
        return []
    if width * len(lines) > _MOST_PADDED:
        return [Block("code", "\n".join(" | ".join(filter(None, line)) for line in lines), page=page)]
    written = ["| " + " | ".join(line[:width] + [""] * (width - len(line))) + " |" for line in lines]
    whole = sum(map(len, written)) <= _WHOLE
    header = [written[0], "|" + " - |" * width]
    if width == 1 and len(lines) == 1:
        return [Block("prose", lines[0][0], page=page)]
    return [Block("code", "\n".join(part), page=page) for part in _parts(header, written[1:], whole=whole)]


def sparse_tables(rows: Iterable[tuple[int, dict[int, str]]], page: int | None = None) -> list[Block]:
    """Tables of a sheet, given as (row number, texts by column): rows that are missing part one from the next.

    A lone cell above a wider table is its caption.
    """
    blocks: list[Block] = []
    filled = ((number, cells) for number, cells in rows if any(text.strip() for text in cells.values()))
    numbered = enumerate(filled)
    for _, group in groupby(numbered, key=lambda each: each[1][0] - each[0]):
        part = [cells for _, (_, cells) in group]
        while len(part) > 1 and len(part[0]) == 1 and any(len(cells) > 1 for cells in part):
            blocks.append(Block("prose", next(iter(part.pop(0).values())), page=page))
        columns = sorted({column for cells in part for column, text in cells.items() if text.strip()})
        if len(columns) * len(part) > _MOST_PADDED:
            blocks += table((list(cells.values()) for cells in part), page)
        else:
            blocks += table(([cells.get(column, "") for column in columns] for cells in part), page)
    return blocks


def plain_number(number: float) -> str:
    """As it was typed: no trailing zeros, no noise of the binary fraction."""
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else f"{number:.15g}"


def _parts(header: list[str], rows: list[str], *, whole: bool) -> Iterator[list[str]]:
    part, length = header[:], sum(map(len, header))
    repeated = header if length <= _MOST_HEADER else []
    for row in rows:
        if not whole and length + len(row) > _PART and len(part) > len(header):
            yield part
            part, length = repeated[:], sum(map(len, repeated))
        part.append(row)
        length += len(row)
    yield part


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _trimmed(line: list[str]) -> list[str]:
    last = next((i for i in range(len(line), 0, -1) if line[i - 1]), 0)
    return line[:last]
