"""Workflows that a request starts once its rows are committed. Starting one twice is starting it once."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from api.resources import ApiResources
from contracts.conversation import ConversationInput
from contracts.ingest import IngestInput
from contracts.model import Contract
from contracts.turn import OneShotInput
from domain.auth.principal import Principal
from domain.errors import NotFound
from domain.knowledge import store


class StartIngest(Contract):
    kind: Literal["ingest"] = "ingest"
    input: IngestInput


class StartTurn(Contract):
    kind: Literal["turn"] = "turn"
    input: OneShotInput


class StartConversation(Contract):
    kind: Literal["conversation"] = "conversation"
    input: ConversationInput


Start = Annotated[StartIngest | StartTurn | StartConversation, Field(discriminator="kind")]
_READER: TypeAdapter[StartIngest | StartTurn | StartConversation] = TypeAdapter(Start)


def dump(start: Start) -> str:
    return start.model_dump_json()


def load(text: str) -> Start:
    return _READER.validate_json(text)


async def begin(resources: ApiResources, principal: Principal, start: Start) -> None:
    """Idempotent. Raises Unavailable."""
    if isinstance(start, StartTurn):
        await resources.temporal.start_turn(start.input)
        return
    if isinstance(start, StartConversation):
        await resources.temporal.start_conversation(start.input)
        return
    async with resources.database.session(principal.org_id) as session:
        try:
            document = await store.get_document(session, start.input.document_id)
        except NotFound:  # deleted since: nothing is left to ingest
            return
    if document.state == "queued" and document.revision == start.input.revision:
        await resources.temporal.start_ingest(start.input, document.filename)
