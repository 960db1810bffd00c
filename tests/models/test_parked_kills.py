"""Whatever is killed while a turn is parked, it goes on by itself: one answer, whole, once, and on the books."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx2
import pytest

from contracts.options import PROVIDER_ATTEMPTS
from tests.chaos.audit import audit
from tests.chaos.customer import Customer, Reading
from tests.chaos.stand import Stand

WORDS = " ".join(f"word{number}" for number in range(12))
PAUSE = 4


@pytest.fixture(scope="module")
async def stand(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stand]:
    stand = Stand(tmp_path_factory.mktemp("stand"), workers=1)
    try:
        await stand.start()
        yield stand
    finally:
        stand.stop()


async def killed_while_parked(stand: Stand, part: str) -> Reading:
    """One question whose model is away until it is parked, and the death of a part during the pause."""
    headers = {"Authorization": f"Bearer {stand.key}"}
    script = {"text": WORDS, "failures": ["unavailable"] * PROVIDER_ATTEMPTS}
    outage = {"first_pause_seconds": PAUSE, "longest_pause_seconds": PAUSE}
    config = {"model": {"provider": "scripted", "script": script}, "outage": outage}
    async with httpx2.AsyncClient(base_url=stand.url, headers=headers, timeout=20) as client:
        agent = (await client.post("/v1/agents", json={"name": f"agent-{uuid4()}", "config": config})).json()
        person = Customer(stand.url, stand.key)
        try:
            await person.open(agent["id"])
            asking = asyncio.create_task(person.ask("Tell me everything"))
            while not (await client.get("/v1/conversations?attention=parked")).json()["data"]:
                await asyncio.sleep(0.05)
            stand.kill(part)
            await stand.restart(part)
            await asking
        finally:
            await person.close()
    return person.reading


@pytest.mark.parametrize("part", ["worker-0", "temporal"])
async def test_a_parked_turn_outlives_whatever_runs_it(stand: Stand, part: str) -> None:
    reading = await killed_while_parked(stand, part)
    assert reading.ended == ["turn.completed"]
    assert reading.said == WORDS, "the words, each once, in order"
    assert (await audit(stand.database_url)).violations == {}
