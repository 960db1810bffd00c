"""A follow-up in a conversation finds what its question before was about, and the turn tells what was searched."""

from typing import Any
from uuid import UUID, uuid4

from contracts.ingest import IngestInput
from contracts.turn import TurnRef
from domain.agents.config import AgentConfig, ModelSettings, RetrievalSettings, Script
from domain.knowledge.chunk import chunk
from domain.knowledge.index import embedded_text
from domain.knowledge.parse import parse
from tests.house import House
from tests.rows import make_conversation

PLANS = """# Travel insurance

## Lost baggage

Lost baggage is paid for up to 1,200 euros when the airline confirms the loss in writing.

## Opening hours

The counters are open from eight to six, on holidays until noon.
"""


async def talk(house: House, org: UUID, config: AgentConfig, *texts: str) -> list[dict[str, Any]]:
    """Says the texts one after the other; returns the turns with their evidence and what readers saw was searched."""
    ref: TurnRef = await make_conversation(house.resources.database, org, config)
    for number, text in enumerate(texts, 1):
        await house.post(ref, text)
        await house.events(ref, turns=number)
    async with house.resources.database.transaction(org) as connection:
        rows = await connection.fetch(
            """SELECT t.record, (SELECT array_agg(p.text ORDER BY marker) FROM turn_passages p WHERE turn_id = t.id)
               AS evidence FROM turns t WHERE conversation_id = $1 ORDER BY number""",
            ref.conversation_id,
        )
    searched = [event.data["searched"] for event in await house.events(ref) if event.type == "reply.started"]
    return [{**row, "searched": words} for row, words in zip(rows, searched, strict=True)]


async def collection(house: House, org: UUID) -> UUID:
    document = IngestInput(org_id=org, collection_id=uuid4(), document_id=uuid4())
    knowledge, extract = house.resources.knowledge, parse(PLANS.encode(), "plans.md")
    chunks = chunk(extract, document.document_id)
    vectors = await knowledge.embedder.passages([embedded_text(extract.title, each) for each in chunks])
    await knowledge.index.replace(document, extract.title, chunks, vectors)
    return document.collection_id


def agent(collection_id: UUID, rewrite: str) -> AgentConfig:
    return AgentConfig(
        model=ModelSettings(provider="scripted", script=Script(text="Up to 1,200 euros [1].")),
        collections=[collection_id],
        retrieval=RetrievalSettings.model_validate({"limit": 1, "rewrite": rewrite}),
    )


async def test_the_follow_up_is_searched_with_its_topic_and_the_turn_says_so(house: House, org: UUID) -> None:
    config = agent(await collection(house, org), "rules")
    first, second = await talk(house, org, config, "Do you pay for lost baggage?", "And until what amount?")
    assert "rewrite" not in first["record"]
    assert second["record"]["rewrite"]["by"] == "rules"
    assert "baggage" in second["record"]["rewrite"]["query"]
    assert (first["searched"], second["searched"]) == (None, second["record"]["rewrite"]["query"])
    assert "goes_on" in second["record"]["rewrite"]["reasons"]
    assert "1,200 euros" in second["evidence"][0]


async def test_an_agent_may_leave_messages_as_they_are(house: House, org: UUID) -> None:
    config = agent(await collection(house, org), "off")
    turns = await talk(house, org, config, "Do you pay for lost baggage?", "And until what amount?")
    assert all("rewrite" not in turn["record"] and turn["searched"] is None for turn in turns)


async def test_an_agent_may_let_its_model_write_the_question(house: House, org: UUID) -> None:
    config = agent(await collection(house, org), "model")
    _, second = await talk(house, org, config, "Do you pay for lost baggage?", "And until what amount?")
    assert second["record"]["rewrite"]["by"] == "model"
    assert second["record"]["rewrite"]["usage"]["output_tokens"] == 5
    async with house.resources.database.transaction(org) as connection:
        (booked,) = await connection.fetch(
            """SELECT m.outcome, m.output_tokens, m.agent_id = c.agent_id AS agents FROM model_calls m
               JOIN conversations c ON c.id = m.conversation_id WHERE m.task = 'fast'"""
        )
    assert tuple(booked) == ("answered", 5, True), "a question that a model writes is paid for like an answer"
