"""Whether a database has the schema of this version. Not for changing it: see `migrate.py`.

Apart, as importing the migration tool takes 1.5 s of a core.
"""

from pathlib import Path

import asyncpg

_VERSIONS = Path(__file__).parent / "migrations" / "versions"


def newest() -> str:
    """The revision this code wants. Migrations are numbered, and their files begin with the number."""
    return max(path.name for path in _VERSIONS.glob("[0-9]*.py")).partition("_")[0]


async def is_current(database_url: str) -> bool:
    """False too for a database without any schema. Raises OSError or asyncpg.PostgresError when there is none."""
    connection = await asyncpg.connect(database_url)
    try:
        return bool(await connection.fetchval("SELECT version_num FROM alembic_version") == newest())
    except asyncpg.UndefinedTableError:
        return False
    finally:
        await connection.close()
