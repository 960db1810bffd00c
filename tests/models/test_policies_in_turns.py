"""A turn asks whom its policy names, by the customer's tier, and its record tells who was tried and why."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from contracts.turn import TurnRef
from domain.agents.config import AgentConfig, ModelSettings, Script
from domain.conversations.log import rebuild
from domain.models import policy_store
from domain.models.choice import Need
from domain.models.policies import Policies
from domain.models.policy import ModelPolicy
from tests.house import House
from tests.rows import make_conversation

POLICY = {
    "tasks": {"reply": [{"provider": "nobody"}, {"provider": "extractive"}]},
    "tiers": {"gold": {"tasks": {"reply": [{"provider": "scripted"}]}}},
}
SAID = "Gold answer."


async def conversation(house: House, org: UUID, **labels: str) -> TurnRef:
    ref = await make_conversation(
        house.resources.database, org, AgentConfig(model=ModelSettings(script=Script(text=SAID)))
    )
    async with house.resources.database.transaction(org) as connection:
        await connection.execute("UPDATE conversations SET labels = $1 WHERE id = $2", labels, ref.conversation_id)
    return ref


async def answered(house: House, ref: TurnRef) -> tuple[str, dict[str, Any]]:
    """The text, and why the model was chosen as the turn's record has it."""
    await house.post(ref, "Where is the parcel that I ordered last week?")
    text = rebuild(await house.events(ref))
    async with house.resources.database.transaction(ref.org_id) as connection:
        record = await connection.fetchval("SELECT record FROM turns WHERE conversation_id = $1", ref.conversation_id)
    return text, record["models"][0]


async def test_the_tier_of_the_customer_decides_and_the_record_says_so(house: House, org: UUID) -> None:
    async with house.resources.database.session(org) as session:
        await policy_store.add(session, org, None, ModelPolicy.model_validate(POLICY))
    text, gold = await answered(house, await conversation(house, org, tier="gold"))
    assert text == SAID
    assert gold["because"] == "organisation policy 1: task reply, tier gold"
    text, plain = await answered(house, await conversation(house, org))
    assert text.startswith("I could not find anything")
    assert [(each["provider"], each["outcome"]) for each in plain["tried"]] == [
        ("nobody", "passed_over"),
        ("extractive", "answered"),
    ]


async def test_a_changed_policy_goes_for_running_conversations(house: House, org: UUID) -> None:
    ref = await conversation(house, org)
    assert (await answered(house, ref))[1]["because"] == "default: task reply"
    async with house.resources.database.session(org) as session:
        await policy_store.add(
            session, org, None, ModelPolicy.model_validate({"tasks": {"reply": [{"provider": "scripted"}]}})
        )
    # Sooner than the two seconds for which a worker goes by what it has read.
    await house.resources.router.explain(org, ref.agent_version_id, ModelSettings(), Need())
    await house.post(ref, "Again?")
    events = await house.events(ref, turns=2)
    last = [event for event in events if event.turn_id == events[-1].turn_id]
    assert rebuild(last) == SAID


async def test_the_first_call_after_a_quiet_time_goes_by_the_policy_of_now(
    house: House, org: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.models.policies._FRESH_SECONDS", 0.05)
    ref = await conversation(house, org)
    database = house.resources.database
    policies = Policies(database)
    assert (await policies.of(org, ref.agent_version_id, ModelSettings(), "extractive")).origin == "default"
    async with database.session(org) as session:
        await policy_store.add(
            session, org, None, ModelPolicy.model_validate({"tasks": {"reply": [{"provider": "scripted"}]}})
        )
    await asyncio.sleep(0.1)
    now = await policies.of(org, ref.agent_version_id, ModelSettings(), "extractive")
    assert now.origin == "organisation policy 1"
