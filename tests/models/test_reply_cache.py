"""An answer that was paid for is given again to the same request, where the agent allows it, and to no other."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from db.tables.columns import now
from domain.agents.config import AgentConfig, ModelSettings, Script
from domain.models import reply_cache_store
from runtime.embedded.postgres import EmbeddedPostgres
from tests.conftest import make_org
from tests.house import House
from tests.rows import make_conversation

TEXT = "We are open from nine to five."


def agent(text: str = TEXT, **config: Any) -> AgentConfig:
    settings = ModelSettings(provider="scripted", script=Script(text=text))
    return AgentConfig.model_validate({"model": settings, "reply_cache_seconds": 60, **config})


async def ask(house: House, org: UUID, config: AgentConfig, *texts: str) -> list[tuple[str, str]]:
    """(text, how the model was used) of each reply in a new conversation."""
    ref = await make_conversation(house.resources.database, org, config)
    for number, text in enumerate(texts, 1):
        await house.post(ref, text)
        await house.events(ref, turns=number)
    async with house.resources.database.transaction(org) as connection:
        rows = await connection.fetch(
            """SELECT m.text, t.record #>> '{models,0,tried,0,outcome}' AS outcome FROM messages m
               JOIN turns t ON t.id = m.turn_id
               WHERE m.conversation_id = $1 AND m.role = 'assistant' ORDER BY m.position""",
            ref.conversation_id,
        )
        return [(row["text"], row["outcome"]) for row in rows]


async def calls(house: House, org: UUID) -> int:
    async with house.resources.database.transaction(org) as connection:
        return int(await connection.fetchval("SELECT count(*) FROM model_calls"))


async def test_the_same_first_message_gets_the_answer_that_was_paid_for(house: House, org: UUID) -> None:
    first = await ask(house, org, agent(), "When are you open?")
    again = await ask(house, org, agent(), "When are you open?")
    assert (first, again) == ([(TEXT, "answered")], [(TEXT, "cached")])
    assert await calls(house, org) == 1, "nothing was asked the second time, so there is nothing to book"
    counted = house.resources.metrics.text().decode()
    assert 'everturn_cached_replies_total{outcome="hit"} 1.0' in counted


@pytest.mark.parametrize(
    "other", [agent(instructions="Be brief."), agent("Other words."), agent(reply_cache_seconds=None)]
)
async def test_another_request_or_an_agent_that_forbids_it_asks_the_model(
    house: House, org: UUID, other: AgentConfig
) -> None:
    await ask(house, org, agent(), "When are you open?")
    assert [how for _, how in await ask(house, org, other, "When are you open?")] == ["answered"]
    assert [how for _, how in await ask(house, org, agent(), "When are you closed?")] == ["answered"]


async def test_what_depends_on_a_conversation_is_neither_kept_nor_looked_for(house: House, org: UUID) -> None:
    for _ in range(2):
        told = await ask(house, org, agent(), "Hello there", "When are you open?")
        assert told[1][1] == "answered"


async def test_another_organisation_and_a_reply_that_is_too_old_are_no_match(
    house: House, org: UUID, postgres: EmbeddedPostgres
) -> None:
    await ask(house, org, agent(), "When are you open?")
    stranger = await make_org(postgres)
    assert [how for _, how in await ask(house, stranger, agent(), "When are you open?")] == ["answered"]
    async with house.resources.database.transaction(org) as connection:
        await connection.execute("UPDATE cached_replies SET expires_at = clock_timestamp()")
    assert [how for _, how in await ask(house, org, agent(), "When are you open?")] == ["answered"]
    async with house.resources.database.session(org) as session:
        assert await reply_cache_store.prune(session, before=now()) == 0, "the new reply took its place"
        assert await reply_cache_store.prune(session, before=now() + timedelta(hours=1)) == 1
