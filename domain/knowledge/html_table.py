"""Gather the rows of an HTML table while its tags go by. Not for finding the table: `parse_html` does."""

from domain.knowledge.sheet import CellCount

_MOST_SPAN = 1_000
"""Columns or rows, as browsers have it."""


class Grid:
    """Rows of a table in hand; the text of a merged cell stands in each of its places."""

    def __init__(self, count: CellCount) -> None:
        self._count = count
        self.rows: list[list[str]] = []
        self._open: tuple[int, int] | None = None
        self._covered: dict[int, tuple[int, str]] = {}  # by column: rows that a cell still reaches into, its text

    def start_row(self) -> None:
        if not self.rows or self.rows[-1] or self._covered:
            self._fill()
            self.rows.append([])

    def start_cell(self, columns: int, rows: int) -> None:
        self._open = (columns, rows)
        if not self.rows:
            self.rows.append([])

    def end_cell(self, text: str) -> str:
        """What belongs to no cell is given back. Raises DocumentUnreadable for more cells than are read."""
        if self._open is None or not self.rows:
            return " ".join(text.split())
        columns, rows = self._open
        self._count.add(columns)
        self._open = None
        self._fill()
        for _ in range(columns):
            if rows > 1:
                self._covered[len(self.rows[-1])] = (rows - 1, " ".join(text.split()))
            self.rows[-1].append(" ".join(text.split()))
        return ""

    def _fill(self) -> None:
        """Cells that reach down from above, up to the next free place."""
        while self.rows and (reached := self._covered.pop(len(self.rows[-1]), None)) is not None:
            rows, text = reached
            if rows > 1:
                self._covered[len(self.rows[-1])] = (rows - 1, text)
            self._count.add()
            self.rows[-1].append(text)


def span(given: dict[str, str | None], name: str) -> int:
    """How far a cell reaches; 1 where it does not say."""
    number = given.get(name) or "1"
    return min(_MOST_SPAN, max(1, int(number))) if number.isdecimal() and len(number) < 10 else 1
