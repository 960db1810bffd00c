"""An agent that asks for neighbours reads a found passage with the text around it, and its evidence says where."""

from uuid import UUID, uuid4

import pytest

from contracts.ingest import IngestInput
from domain.agents.config import AgentConfig, ModelSettings, RetrievalSettings, Script
from domain.knowledge.chunk import Chunk, chunk
from domain.knowledge.extract import Block, assemble
from domain.knowledge.index import embedded_text
from tests.house import House
from tests.rows import make_conversation

_STORY = " ".join(
    [f"Before the journey, point {n} of the list is packed and checked twice." for n in range(20)]
    + ["Lost baggage is paid for up to 1,200 euros when the airline confirms the loss."]
    + [f"After the journey, form {n} is signed and kept for three years." for n in range(20)]
)


async def ingested(house: House, document: IngestInput) -> list[Chunk]:
    extract = assemble([Block("prose", _STORY)], title="Insurance", media_type="text/plain", pages=0)
    chunks, knowledge = chunk(extract, document.document_id), house.resources.knowledge
    vectors = await knowledge.embedder.passages([embedded_text(extract.title, each) for each in chunks])
    await knowledge.index.replace(document, extract.title, chunks, vectors)
    return chunks


@pytest.mark.parametrize("neighbours", [0, 1])
async def test_the_model_reads_what_stands_around_the_found_passage(house: House, org: UUID, neighbours: int) -> None:
    document = IngestInput(org_id=org, collection_id=uuid4(), document_id=uuid4())
    chunks = await ingested(house, document)
    found = next(place for place, one in enumerate(chunks) if "1,200 euros" in one.text)
    config = AgentConfig(
        model=ModelSettings(provider="scripted", script=Script(text="Up to 1,200 euros [1].")),
        collections=[document.collection_id],
        retrieval=RetrievalSettings(limit=1, neighbours=neighbours),
    )
    ref = await make_conversation(house.resources.database, org, config)
    await house.post(ref, "Up to what amount is lost baggage paid for?")
    await house.events(ref, turns=1)
    async with house.resources.database.transaction(org) as connection:
        [row] = await connection.fetch("SELECT text, char_start, char_end FROM turn_passages")
    shown = chunks[max(0, found - neighbours) : found + neighbours + 1]
    assert (row["char_start"], row["char_end"]) == (shown[0].char_start, shown[-1].char_end)
    assert len(row["text"]) == row["char_end"] - row["char_start"]
    assert len(chunks) > 2
    assert "1,200 euros" in row["text"]
