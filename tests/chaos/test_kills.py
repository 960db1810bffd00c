"""Whatever is killed, at the worst moment: one answer, whole, once; one settled call; one side effect."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from tests.chaos.audit import audit
from tests.chaos.customer import Customer, Reading
from tests.chaos.stand import Stand
from tests.tool_server import ToolServer, tool_server

WORDS = " ".join(f"word{n}" for n in range(40))
"""A reply of 40 pieces at 40 ms: long enough to be killed in the middle of."""


@dataclass
class Scene:
    stand: Stand
    tools: ToolServer

    async def agent(self, **model: Any) -> str:
        """An agent with a scripted model, made over HTTP."""
        script = {"text": WORDS, "token_delay_ms": 40, **model.pop("script", {})}
        config = {"model": {"provider": "scripted", "script": script}, **model}
        async with httpx2.AsyncClient(
            base_url=self.stand.url, headers={"Authorization": f"Bearer {self.stand.key}"}
        ) as client:
            made = await client.post("/v1/agents", json={"name": f"agent-{uuid4()}", "config": config})
        assert made.status_code == 201, made.text
        return str(made.json()["id"])

    async def ask(self, agent: str, meanwhile: Callable[[Customer], Awaitable[None]], **customer: Any) -> Reading:
        """One question by one customer, and what happens meanwhile."""
        person = Customer(self.stand.url, self.stand.key, **customer)
        try:
            await person.open(agent)
            await asyncio.gather(person.ask("Tell me everything"), meanwhile(person))
        finally:
            await person.close()
        return person.reading

    def death_of(self, part: str, *, after_words: int) -> Callable[[Customer], Awaitable[None]]:
        """kill -9 once the customer has read so many words, and a restart."""

        async def strike(person: Customer) -> None:
            while len(person.reading.said.split()) < after_words:
                await asyncio.sleep(0.01)
            self.stand.kill(part)
            await self.stand.restart(part)

        return strike

    async def check(self, reading: Reading, text: str = WORDS) -> None:
        assert reading.ended == ["turn.completed"]
        assert reading.said == text, "the words, each once, in order"
        findings = await audit(self.stand.database_url)
        assert findings.violations == {}


@pytest.fixture(scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    stand = Stand(tmp_path_factory.mktemp("stand"), workers=1)
    async with tool_server() as tools:
        try:
            await stand.start()
            yield Scene(stand, tools)
        finally:
            stand.stop()


async def test_the_worker_is_killed_before_the_first_token(scene: Scene) -> None:
    agent = await scene.agent(script={"first_delay_ms": 1500})

    async def kill(_person: Customer) -> None:
        await asyncio.sleep(0.7)
        scene.stand.kill("worker-0")
        await scene.stand.restart("worker-0")

    await scene.check(await scene.ask(agent, kill))


async def test_the_worker_is_killed_in_mid_stream(scene: Scene) -> None:
    await scene.check(await scene.ask(await scene.agent(), scene.death_of("worker-0", after_words=12)))


async def test_the_worker_is_killed_when_the_last_word_was_said(scene: Scene) -> None:
    """Between the last word and the commit of the turn: guard and persist."""
    await scene.check(await scene.ask(await scene.agent(), scene.death_of("worker-0", after_words=40)))


async def test_the_api_is_killed_in_mid_stream(scene: Scene) -> None:
    await scene.check(await scene.ask(await scene.agent(), scene.death_of("api", after_words=12)))


async def test_temporal_is_killed_in_mid_stream(scene: Scene) -> None:
    await scene.check(await scene.ask(await scene.agent(), scene.death_of("temporal", after_words=12)))


async def test_postgres_is_killed_in_mid_stream(scene: Scene) -> None:
    await scene.check(await scene.ask(await scene.agent(), scene.death_of("postgres", after_words=12)))


async def test_the_customer_hangs_up_after_every_event(scene: Scene) -> None:
    async def nothing(_person: Customer) -> None:
        return

    await scene.check(await scene.ask(await scene.agent(), nothing, drops=1.0))


async def test_a_tool_that_honours_keys_acts_once_though_the_worker_dies_while_it_acts(scene: Scene) -> None:
    scene.tools.honour_keys = True
    before = len(scene.tools.acted)
    tool = {"name": "refund", "url": f"{scene.tools.url}/slow", "idempotent": True}
    agent = await scene.agent(script={"tool_calls": [{"name": "refund", "arguments": {"order": "W1"}}]}, tools=[tool])

    async def kill(_person: Customer) -> None:
        while len(scene.tools.acted) == before:
            await asyncio.sleep(0.01)
        scene.stand.kill("worker-0")
        await scene.stand.restart("worker-0")

    reading = await scene.ask(agent, kill)
    assert len(scene.tools.acted) == before + 1
    await scene.check(reading)


async def test_a_tool_without_keys_is_never_called_twice(scene: Scene) -> None:
    before = len(scene.tools.acted)
    tool = {"name": "refund", "url": f"{scene.tools.url}/slow"}
    agent = await scene.agent(script={"tool_calls": [{"name": "refund", "arguments": {"order": "W2"}}]}, tools=[tool])

    async def kill(_person: Customer) -> None:
        while len(scene.tools.acted) == before:
            await asyncio.sleep(0.01)
        scene.stand.kill("worker-0")
        await scene.stand.restart("worker-0")

    reading = await scene.ask(agent, kill)
    assert len(scene.tools.acted) == before + 1
    await scene.check(reading)
    assert (await audit(scene.stand.database_url)).unknown_tools >= 1, "parked for a person, not guessed"
