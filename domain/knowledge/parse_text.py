"""Read plain text, tables of separated values and JSON into blocks. Not for marked-up text."""

import csv
import io
import itertools
import json
import re
import statistics
from collections.abc import Iterator

from domain.knowledge.extract import Block, Content
from domain.knowledge.sheet import CellCount
from domain.knowledge.table import table

_SAMPLE_LINES = 200
_SEPARATORS = ",;\t|"


def read_plain(text: str) -> Content:
    return Content("", [Block("prose", part) for part in re.split(r"\n[ \t]*\n", _lines(text))])


def read_separated(text: str) -> Content:
    """One table. Its separator is the one that cuts the lines most evenly. Raises DocumentUnreadable."""
    lines = _lines(text).lstrip("\n")
    named = re.match(r"sep=(.)\n", lines)  # written by Excel, for Excel
    if named is not None:
        lines = lines[named.end() :]
    # The largest field of Python's csv is 128 kB; a file of one row is at most the file.
    csv.field_size_limit(len(lines) + 1)
    rows = list(_within_limits(csv.reader(io.StringIO(lines), delimiter=named[1] if named else _separator(lines))))
    return Content("", table(rows))


def read_json(text: str) -> Content:
    """A list of flat objects is a table; anything else is written out with one value a line."""
    try:
        value = json.loads(text)
    except ValueError:
        value = _json_lines(text)
        if value is None:
            return read_plain(text)
    if isinstance(value, list) and value and all(isinstance(each, dict) and _is_flat(each) for each in value):
        columns = list(dict.fromkeys(key for each in value for key in each))
        rows = ([_word(each.get(column)) for column in columns] for each in value)
        return Content("", table(_within_limits(itertools.chain([columns], rows))))
    return Content("", [Block("code", json.dumps(value, indent=1, ensure_ascii=False))])


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _within_limits(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    cells = CellCount()
    for row in rows:
        cells.add(len(row))
        yield row


def _separator(lines: str) -> str:
    sample = "\n".join(itertools.islice(lines.split("\n", _SAMPLE_LINES), _SAMPLE_LINES))
    best, found = 0.0, ","
    for separator in _SEPARATORS:
        widths = [len(row) for row in csv.reader(io.StringIO(sample), delimiter=separator) if row]
        usual = statistics.mode(widths) if widths else 1
        even = sum(width == usual for width in widths) / max(1, len(widths))
        if usual > 1 and even > best:
            best, found = even, separator
    return found


def _json_lines(text: str) -> list[object] | None:
    try:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    except ValueError:
        return None


def _is_flat(record: dict[str, object]) -> bool:
    return not any(isinstance(value, dict | list) for value in record.values())


def _word(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
