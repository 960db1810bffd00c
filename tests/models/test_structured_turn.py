"""A turn of an agent with an output schema is answered with JSON that fits, or ends as failed; nobody sees the rest."""

from typing import Any
from uuid import UUID

from domain.agents.config import AgentConfig
from domain.conversations.log import rebuild
from tests.house import House
from tests.rows import make_conversation

SCHEMA = {"type": "object", "properties": {"open": {"type": "boolean"}}, "required": ["open"]}


def saying(text: str) -> AgentConfig:
    model: dict[str, Any] = {"provider": "scripted", "output_schema": SCHEMA, "script": {"text": text}}
    return AgentConfig.model_validate({"model": model, "outage": {"give_up_seconds": 0}})


async def test_the_customer_gets_the_object_that_was_meant(house: House, org: UUID) -> None:
    ref = await make_conversation(house.resources.database, org, saying('```json\n{"open": true}\n```'))
    await house.post(ref, "Open on Sunday?")
    assert rebuild(await house.events(ref)) == '{"open": true}'


async def test_text_that_does_not_fit_is_never_seen(house: House, org: UUID) -> None:
    ref = await make_conversation(house.resources.database, org, saying("We are open, I think."))
    await house.post(ref, "Open on Sunday?")
    events = await house.events(ref)
    assert events[-1].type == "turn.failed"
    assert not any("I think" in str(event.data) for event in events)
    async with house.resources.database.transaction(ref.org_id) as connection:
        outcomes = [row["outcome"] for row in await connection.fetch("SELECT outcome FROM model_calls")]
    assert outcomes
    assert set(outcomes) == {"garbage"}
