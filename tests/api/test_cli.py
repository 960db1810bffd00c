"""What the command line shows of gaps, retrieval tests and sources is what a real API says, from process to process."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import asyncpg
import httpx2
import pytest

from contracts.turn import Usage
from domain.models.call import CallPlace, ModelCall, Settled
from domain.models.ledger import Ledger
from runtime.embedded.postgres import EmbeddedPostgres
from tests.api.site import Site
from tests.api.talk import ask, open_conversation, scripted

pytestmark = pytest.mark.usefixtures("workers")


@dataclass(frozen=True)
class Shell:
    """`everturn …` as a person types it, told only where the API is and with which key."""

    environment: dict[str, str]

    async def run(self, *arguments: str, code: int = 0) -> str:
        """What it printed, errors included; it must end with `code`."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "cli.main",
            *arguments,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self.environment,
        )
        said = (await process.communicate())[0].decode()
        assert process.returncode == code, said
        return said


@pytest.fixture
async def shell(site: Site, org: UUID, tmp_path: Path) -> Shell:
    ours = re.compile(r"EVERTURN_|DATABASE_|TEMPORAL_")
    plain = {name: value for name, value in os.environ.items() if not ours.match(name)}
    told = {"EVERTURN_URL": site.url, "EVERTURN_API_KEY": await site.key(org), "EVERTURN_DATA_DIR": str(tmp_path)}
    return Shell({**plain, **told, "COLUMNS": "200"})


@pytest.fixture
async def shop(postgres: EmbeddedPostgres) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """A customer's database, which the settings of this API name."""
    owner = await asyncpg.connect(postgres.url)
    await owner.execute("CREATE DATABASE api_shop")
    connection = await asyncpg.connect(postgres.url.rpartition("/")[0] + "/api_shop")
    await connection.execute("CREATE TABLE parcels (nr int PRIMARY KEY, city text)")
    yield connection
    await connection.close()
    await owner.execute("DROP DATABASE api_shop WITH (FORCE)")
    await owner.close()


async def collection(caller: httpx2.AsyncClient, name: str) -> str:
    return str((await caller.post("/v1/collections", json={"name": name})).json()["id"])


async def test_gaps_are_listed_by_state_the_most_often_met_first(shell: Shell, caller: httpx2.AsyncClient) -> None:
    place = await collection(caller, "handbook")
    config = scripted("I do not know anything about that.") | {"collections": [place]}
    conversation = await open_conversation(caller, config)
    for text in ("Which planets have two moons?", "How do I close my bank account?", "How do I close my bank account?"):
        await ask(caller, conversation, text)
    said = await shell.run("gaps", "--collection", "handbook")
    assert 0 < said.index("How do I close my bank account?") < said.index("Which planets have two moons?")
    assert "nothing_found" in said
    found = (await caller.get(f"/v1/collections/{place}/gaps")).json()["data"]
    await caller.patch(f"/v1/gaps/{found[0]['id']}", json={"state": "resolved"})
    said = await shell.run("gaps", "--collection", "handbook", "--state", "resolved")
    assert (found[0]["question"] in said, found[1]["question"] in said) == (True, False)
    assert "there is no collection named 'nowhere'" in await shell.run("gaps", "--collection", "nowhere", code=1)


async def test_retrieval_tests_are_loaded_and_decide_the_exit_code(
    shell: Shell, caller: httpx2.AsyncClient, tmp_path: Path
) -> None:
    place = await collection(caller, "help")
    file = {"file": ("refunds.md", b"# Refunds\n\nA refund for a lost parcel takes ten days.", "text/markdown")}
    document = (await caller.post(f"/v1/collections/{place}/documents", files=file)).json()
    while (await caller.get(f"/v1/documents/{document['id']}")).json()["state"] != "ready":
        await asyncio.sleep(0.05)
    tests = tmp_path / "tests.jsonl"
    rows = [
        {"question": "How long does a refund take?", "expected": {"documents": [document["id"]]}},
        {"question": "Where is the shop?", "expected": {"phrases": ["in Rome"]}},
    ]
    tests.write_text("\n".join(json.dumps(row) for row in rows))
    empty = await shell.run("retrieval-test", "--collection", "help", code=1)
    assert "no retrieval tests" in empty
    said = await shell.run("retrieval-test", "--collection", "help", "--load", str(tests), "--least", "0.5")
    assert "missed Where is the shop?: " in said
    assert "2 tests: hit rate 0.500, MRR 0.500, nDCG 0.500" in said
    await shell.run("retrieval-test", "--collection", "help", "--least", "0.6", code=1)
    tests.write_text("no JSON")
    assert "is not JSON lines" in await shell.run(
        "retrieval-test", "--collection", "help", "--load", str(tests), code=1
    )


async def test_a_source_is_added_listed_read_again_and_removed(
    shell: Shell, caller: httpx2.AsyncClient, shop: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    added = await shell.run("source", "add", "database:shop", "--collection", "tables", "--refresh-minutes", "60")
    source = added.split()[0]
    assert await ready(caller, source) == {"stored": 1}
    assert f"{source} database shop ready" in await shell.run("source", "list", "--collection", "tables")
    await shop.execute("CREATE TABLE letters (nr int PRIMARY KEY)")
    assert "queued" in await shell.run("source", "refresh", source)
    assert await ready(caller, source) == {"stored": 1, "unchanged": 1}
    await shell.run("source", "remove", source, "--documents")
    assert await shell.run("source", "list", "--collection", "tables") == ""
    place = (await caller.get("/v1/collections")).json()["data"][0]["id"]
    assert (await caller.get(f"/v1/collections/{place}/documents")).json()["data"] == []
    assert "there is no collection named nowhere" in await shell.run(
        "source", "list", "--collection", "nowhere", code=1
    )


async def ready(caller: httpx2.AsyncClient, source: str) -> dict[str, int]:
    """How many items are in each state once it is read."""
    while True:
        row = (await caller.get(f"/v1/sources/{source}")).json()
        if row["state"] == "ready" and not row["documents"].keys() - {"ready"}:
            return dict(row["items"])
        assert row["state"] != "failed", row
        await asyncio.sleep(0.1)


async def test_spend_shows_what_each_model_cost_to_the_millionth(
    shell: Shell, site: Site, org: UUID, caller: httpx2.AsyncClient
) -> None:
    agent = (await caller.post("/v1/agents", json={"name": "support"})).json()["id"]
    ledger = Ledger(site.database, site.resources.prices)
    for number, (model, cost) in enumerate((("gpt-4o-mini", 1_234_567), ("gpt-4o-mini", 1), ("gpt-4o", 20_000))):
        call = ModelCall(CallPlace(org, str(number), "reply", agent_id=UUID(agent)), 1, "openai", model)
        await ledger.reserve(call, cost)
        await ledger.settle(call, Settled("answered", Usage(input_tokens=cost, output_tokens=2), cost, latency_ms=1))
    said = await shell.run("spend")
    assert 0 < said.index("1.234568") < said.index("0.020000") < said.index("1.254568")
    said = await shell.run("spend", "--by", "agent", "--by", "day", "--agent", "support")
    assert agent in said
    assert "1.254568" in said
    assert "there is no agent named 'nobody'" in await shell.run("spend", "--agent", "nobody", code=1)
    assert "0.000000" in await shell.run("spend", "--since", "2020-01-01", "--before", "2020-02-01")
