"""Tenancy is beneath everything: no tenant, no rows; another tenant, no rows."""

from uuid import UUID, uuid4

import asyncpg
import pytest

from db.engine import Database
from db.migrate import versions
from db.schema import is_current, newest
from runtime.embedded.postgres import EmbeddedPostgres
from tests.conftest import make_org


async def test_every_table_has_a_forced_policy(postgres: EmbeddedPostgres) -> None:
    connection = await asyncpg.connect(postgres.url)
    rows = await connection.fetch(
        """SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
           WHERE n.nspname = 'public' AND c.relkind = 'r' AND c.relname <> 'alembic_version'
             AND NOT (c.relrowsecurity AND c.relforcerowsecurity
                      AND EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid))"""
    )
    await connection.close()
    assert [row["relname"] for row in rows] == [], "give each of these a policy in its migration"


async def test_the_product_connects_as_a_role_that_cannot_bypass(database: Database) -> None:
    async with database.pool.acquire() as connection:
        row = await connection.fetchrow(
            "SELECT current_user AS name, rolbypassrls OR rolsuper AS mighty FROM pg_roles WHERE rolname = current_user"
        )
    assert row is not None
    assert (row["name"], row["mighty"]) == ("everturn_app", False)


async def test_no_tenant_means_no_rows(database: Database, org: UUID) -> None:
    async with database.pool.acquire() as connection:
        assert await connection.fetch("SELECT * FROM orgs") == []


async def test_a_tenant_neither_reads_nor_writes_anothers_rows(
    database: Database, postgres: EmbeddedPostgres, org: UUID
) -> None:
    other = await make_org(postgres)
    async with database.transaction(org) as connection:
        assert [r["id"] for r in await connection.fetch("SELECT id FROM orgs")] == [org]
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with database.transaction(org) as connection:
            await connection.execute("INSERT INTO collections (id, org_id, name) VALUES ($1, $2, 'x')", uuid4(), other)


async def test_the_schema_is_known_to_be_current_without_the_migration_tool(postgres: EmbeddedPostgres) -> None:
    assert await versions(postgres.url) == (newest(), newest())
    assert await is_current(postgres.url)
    assert not await is_current(postgres.url.rpartition("/")[0] + "/template1")
