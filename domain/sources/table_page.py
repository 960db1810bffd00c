"""A database's table, or one row of it, as Markdown that can be found by asking. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_TITLE_CHARS = 200
_KINDS = {"p": "Primary key", "f": "Relation", "u": "Unique"}


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    type: str
    required: bool
    comment: str
    samples: Sequence[str]


@dataclass(frozen=True, slots=True)
class Key:
    """kind: p, f or u, as in pg_constraint."""

    kind: str
    definition: str
    columns: Sequence[str]


@dataclass(frozen=True, slots=True)
class TablePage:
    table: str
    comment: str
    rows: int
    columns: Sequence[Column]
    keys: Sequence[Key]


def table_page(page: TablePage) -> str:
    lines = [f"# Table {page.table}", ""]
    if page.comment:
        lines += [page.comment, ""]
    lines += [
        f"About {page.rows} rows.",
        "",
        "## Columns",
        "",
        "| column | type | meaning | examples |",
        "|---|---|---|---|",
    ]
    for each in page.columns:
        kind = each.type + (", required" if each.required else "")
        cells = (each.name, kind, each.comment, ", ".join(each.samples))
        lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    if page.keys:
        lines += ["", "## Keys and relations", ""]
        lines += [f"- {_KINDS[key.kind]}: {_cell(key.definition)}" for key in page.keys]
    return "\n".join(lines) + "\n"


def row_page(table: str, key: Sequence[str], values: Mapping[str, object]) -> tuple[str, str]:
    """The page, and its title: the first text of the row, or its key."""
    shown = {name: str(value) for name, value in values.items() if value is not None and str(value).strip()}
    words = next((v for name, v in values.items() if isinstance(v, str) and v.strip() and v not in key), None)
    title = " ".join((words or f"{table} {' '.join(key)}").split())[:_TITLE_CHARS]
    lines = [f"# {title}", ""]
    for name, value in shown.items():
        lines += [f"**{name}**: {value}", ""]
    return "\n".join(lines), title


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
