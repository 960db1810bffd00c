"""Reads a customer's Postgres: what its tables are, and rows of some. Every session is read-only."""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import asyncpg

from db.tables.sources import SourceItem
from domain.errors import Invalid, SourceRefused, SourceUnreachable
from domain.guard.personal_data import find
from domain.sources.config import DatabaseConfig
from domain.sources.found import Found, Limits, Seed
from domain.sources.table_page import Column, Key, TablePage, row_page, table_page

if TYPE_CHECKING:  # generic for the type checker only
    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection

_STATEMENT = timedelta(seconds=15)
"""A query of ours must not weigh on a customer's database; the largest one reads some samples of one table."""

_SAMPLED_ROWS = 200
_SAMPLES = 5
_SAMPLE_CHARS = 60
_MOST_TABLES = 2000

_AWAY = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError)

_COLUMNS = """
SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS required,
       col_description(a.attrelid, a.attnum) AS comment
FROM pg_attribute a WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_KEYS = """
SELECT c.contype::text AS kind, pg_get_constraintdef(c.oid) AS definition,
       (SELECT array_agg(a.attname ORDER BY k.place) FROM unnest(c.conkey) WITH ORDINALITY AS k(attnum, place)
        JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum) AS columns
FROM pg_constraint c WHERE c.conrelid = $1 AND c.contype IN ('p', 'f', 'u') ORDER BY c.contype DESC, c.conname
"""
_TABLES = """
SELECT n.nspname AS schema, c.relname AS name
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY ($1::text[]) AND c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition
  AND has_table_privilege(c.oid, 'SELECT')
ORDER BY 1, 2 LIMIT $2
"""


class CustomerDatabase:
    """addresses: DSNs by `<organisation id>/<name>` or `*/<name>`, from the settings; never stored with a source."""

    def __init__(self, config: DatabaseConfig, org_id: object, addresses: Mapping[str, str]) -> None:
        self._config = config
        self._dsn = addresses.get(f"{org_id}/{config.database}") or addresses.get(f"*/{config.database}")
        self._connection: Connection | None = None
        self.limits = Limits(items=_MOST_TABLES + len(config.tables) * config.max_rows)

    async def seeds(self) -> list[Seed]:
        """Every table of the schemas, and the rows of the chosen ones, by key. Raises SourceUnreachable, Invalid."""
        connection = await self._connect()
        try:
            tables = await connection.fetch(_TABLES, self._config.schemas, _MOST_TABLES)
            seeds = [Seed(f"table/{row['schema']}.{row['name']}") for row in tables]
            for table in self._config.tables:
                seeds += await self._rows(connection, table)
        except _AWAY as error:
            raise _away(error) from None
        return seeds

    async def read(self, item: SourceItem) -> Found:
        """Raises SourceUnreachable when the database went away."""
        kind, _, rest = item.key.partition("/")
        connection = await self._connect()
        try:
            if kind == "table":
                return await self._describe(connection, rest)
            table, _, key = rest.partition("/")
            return await self._row(connection, table, json.loads(key))
        except (asyncpg.QueryCanceledError, asyncpg.InsufficientPrivilegeError) as error:
            return Found("failed", f"the database refused ({type(error).__name__})")
        except _AWAY as error:
            raise _away(error) from None

    def pause(self, key: str) -> float:
        return 0.0

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    async def _connect(self) -> Connection:
        if self._dsn is None:
            raise SourceRefused(f"no database named {self._config.database!r} is set up for this organisation")
        if self._connection is None:
            try:
                self._connection = await asyncpg.connect(
                    self._dsn,
                    timeout=10,
                    command_timeout=_STATEMENT.total_seconds() * 2,
                    server_settings={
                        "application_name": "everturn",
                        "default_transaction_read_only": "on",
                        "statement_timeout": str(int(_STATEMENT.total_seconds() * 1000)),
                        "lock_timeout": "2000",
                        "idle_in_transaction_session_timeout": "60000",
                    },
                )
            except _AWAY as error:
                raise _away(error) from None
            except ValueError:  # asyncpg quotes the DSN, password and all
                raise Invalid("the address of the database cannot be read") from None
        return self._connection

    async def _describe(self, connection: Connection, table: str) -> Found:
        oid = await _oid(connection, table)
        if oid is None:
            return Found("vanished", "the table is gone, or may not be read")
        keys = [Key(row["kind"], row["definition"], list(row["columns"])) for row in await connection.fetch(_KEYS, oid)]
        samples = await self._samples(connection, table)
        columns = [
            Column(row["name"], row["type"], row["required"], row["comment"] or "", samples.get(row["name"], []))
            for row in await connection.fetch(_COLUMNS, oid)
        ]
        known = await connection.fetchrow(
            "SELECT obj_description($1, 'pg_class') AS comment, reltuples::bigint AS rows FROM pg_class WHERE oid = $1",
            oid,
        )
        assert known is not None
        # Never analysed, as a new table is: counting is cheap only then.
        rows = known["rows"]
        if rows < 0:
            rows = await connection.fetchval(f"SELECT count(*) FROM {_quoted(table)}")  # noqa: S608
        page = table_page(TablePage(table, known["comment"] or "", _rounded(rows), columns, keys))
        return Found("stored", body=page.encode(), filename=f"{table}.md", media_type="text/markdown", title=table)

    async def _samples(self, connection: Connection, table: str) -> dict[str, list[str]]:
        rows = await connection.fetch(f"SELECT * FROM {_quoted(table)} LIMIT $1", _SAMPLED_ROWS)  # noqa: S608
        samples: dict[str, list[str]] = {}
        personal = set[str]()
        for row in rows:
            for name, value in row.items():
                text = "" if value is None else str(value)
                kept = samples.setdefault(name, [])
                # One identifier makes the whole column suspect: the guard cannot know every spelling of a name.
                if text and find(f"{name}: {text}"):
                    personal.add(name)
                if text and len(text) <= _SAMPLE_CHARS and text not in kept and len(kept) < _SAMPLES:
                    kept.append(text)
        return {name: [] if name in personal else kept for name, kept in samples.items()}

    async def _rows(self, connection: Connection, table: str) -> list[Seed]:
        key = await self._primary_key(connection, table)
        if not key:
            return [Seed(f"row/{table}", "skipped", "the table is not there, may not be read, or has no primary key")]
        columns = ", ".join(f"{_name(column)}::text" for column in key)
        order = ", ".join(_name(column) for column in key)
        query = f"SELECT {columns} FROM {_quoted(table)} ORDER BY {order} LIMIT $1"  # noqa: S608
        rows = await connection.fetch(query, self._config.max_rows)
        return [Seed(f"row/{table}/{json.dumps(list(row.values()), ensure_ascii=False)}") for row in rows]

    async def _row(self, connection: Connection, table: str, key: Sequence[str]) -> Found:
        columns = await self._primary_key(connection, table)
        where = " AND ".join(f"{_name(column)}::text = ${n}" for n, column in enumerate(columns, 1))
        row = await connection.fetchrow(f"SELECT * FROM {_quoted(table)} WHERE {where}", *key) if columns else None  # noqa: S608
        if row is None:
            return Found("vanished", "the row is gone")
        page, title = row_page(table, key, dict(row.items()))
        return Found("stored", body=page.encode(), filename=f"{table}/{'-'.join(key)}.md"[-255:], title=title)

    async def _primary_key(self, connection: Connection, table: str) -> list[str]:
        oid = await _oid(connection, table)
        rows: list[Any] = [] if oid is None else await connection.fetch(_KEYS, oid)
        return next((list(row["columns"]) for row in rows if row["kind"] == "p"), [])


async def _oid(connection: Connection, table: str) -> int | None:
    query = "SELECT c.oid FROM pg_class c WHERE c.oid = to_regclass($1) AND has_table_privilege(c.oid, 'SELECT')"
    found: int | None = await connection.fetchval(query, _quoted(table))
    return found


def _quoted(table: str) -> str:
    schema, _, name = table.partition(".")
    return f"{_name(schema)}.{_name(name)}"


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _rounded(rows: int) -> int:
    """Two digits: an estimate that moves with every insert would change the page without telling anything."""
    digits = len(str(rows))
    return rows if digits <= 2 else round(rows, 2 - digits)


def _away(error: Exception) -> SourceUnreachable:
    # Not the error's own words: they may name the user, the host or the query.
    return SourceUnreachable(f"the database does not answer ({type(error).__name__})")
