"""A customer's database is described and read without a write, an address in clear, or anybody's personal data."""

from uuid import UUID, uuid4

import asyncpg
import pytest

from db.tables.sources import SourceItem
from domain.errors import SourceRefused
from domain.sources.config import DatabaseConfig
from domain.sources.database_store import CustomerDatabase
from domain.sources.found import Found
from runtime.embedded.postgres import EmbeddedPostgres

SHOP = """
CREATE TABLE customers (id int PRIMARY KEY, email text, city text);
CREATE TABLE "Order's" (id int PRIMARY KEY, customer int REFERENCES customers(id), note text);
COMMENT ON TABLE customers IS 'People who buy';
COMMENT ON COLUMN customers.city IS 'Where they live';
CREATE TABLE faq (lang text, nr int, question text, answer text, PRIMARY KEY (lang, nr));
INSERT INTO customers VALUES (1, 'ann@example.com', 'Oslo'), (2, 'bob@example.com', 'Rome');
INSERT INTO faq SELECT 'en', n, 'Question ' || n, 'Answer ' || n FROM generate_series(1, 5) n;
"""


@pytest.fixture(scope="module")
async def shop(postgres: EmbeddedPostgres) -> str:
    """The DSN of a second database beside ours."""
    name = f"shop_{uuid4().hex}"
    owner = await asyncpg.connect(postgres.url)
    await owner.execute(f"CREATE DATABASE {name}")
    await owner.close()
    dsn = postgres.url.rpartition("/")[0] + f"/{name}"
    connection = await asyncpg.connect(dsn)
    await connection.execute(SHOP)
    await connection.close()
    return dsn


def reader(dsn: str, org: UUID, **config: object) -> CustomerDatabase:
    return CustomerDatabase(DatabaseConfig.model_validate({"database": "shop", **config}), org, {f"{org}/shop": dsn})


async def read(source: CustomerDatabase, key: str) -> Found:
    return await source.read(SourceItem(id=uuid4(), org_id=uuid4(), source_id=uuid4(), key=key, run=1, state="waiting"))


async def test_every_table_is_described_with_its_relations_and_harmless_examples(shop: str) -> None:
    source = reader(shop, uuid4())
    keys = [seed.key for seed in await source.seeds()]
    assert set(keys) == {"table/public.customers", "table/public.faq", "table/public.Order's"}
    page = ((await read(source, "table/public.customers")).body or b"").decode()
    assert "People who buy" in page
    assert "| city | text | Where they live | Oslo, Rome |" in page
    assert "example.com" not in page
    orders = ((await read(source, "table/public.Order's")).body or b"").decode()
    assert "REFERENCES customers(id)" in orders
    await source.close()


async def test_chosen_rows_become_documents_up_to_the_limit(shop: str) -> None:
    source = reader(shop, uuid4(), tables=["public.faq", "public.absent"], max_rows=3)
    seeds = [seed for seed in await source.seeds() if seed.key.startswith("row/")]
    assert [seed.state for seed in seeds] == ["waiting"] * 3 + ["skipped"]
    found = await read(source, seeds[1].key)
    assert "**answer**: Answer 2" in (found.body or b"").decode()
    assert (await read(source, 'row/public.faq/["en", "99"]')).state == "vanished"
    await source.close()


async def test_nothing_can_be_written(shop: str) -> None:
    source = reader(shop, uuid4())
    await source.seeds()
    assert source._connection is not None
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await source._connection.execute("DELETE FROM faq")
    await source.close()


async def test_a_database_set_up_for_one_organisation_is_not_anothers(shop: str) -> None:
    stranger = CustomerDatabase(DatabaseConfig(database="shop"), uuid4(), {f"{uuid4()}/shop": shop})
    with pytest.raises(SourceRefused):
        await stranger.seeds()
