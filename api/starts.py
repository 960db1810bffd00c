"""Workflows that a request starts or stops once its rows are committed. Doing it twice is doing it once."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, TypeAdapter

from api.resources import ApiResources
from contracts.conversation import ConversationInput
from contracts.crawl import CrawlInput
from contracts.ingest import IngestInput
from contracts.model import Contract
from contracts.turn import OneShotInput
from domain.auth.principal import Principal
from domain.errors import NotFound
from domain.knowledge import store
from domain.knowledge.relabel import Relabelling
from domain.sources import store as sources


class StartIngest(Contract):
    kind: Literal["ingest"] = "ingest"
    input: IngestInput


class StopIngest(Contract):
    """input is of the revision that the cancellation made: its document must still be at it."""

    kind: Literal["stop_ingest"] = "stop_ingest"
    input: IngestInput


class Relabel(Contract):
    """Tell the index a document's labels, before the answer is sent."""

    kind: Literal["relabel"] = "relabel"
    document_id: UUID


class StartTurn(Contract):
    kind: Literal["turn"] = "turn"
    input: OneShotInput


class StartConversation(Contract):
    kind: Literal["conversation"] = "conversation"
    input: ConversationInput


class StartCrawl(Contract):
    kind: Literal["crawl"] = "crawl"
    input: CrawlInput


class StopCrawl(Contract):
    """The source is gone; its schedule goes too. A run of it finds that out by itself."""

    kind: Literal["stop_crawl"] = "stop_crawl"
    source_id: UUID


Start = Annotated[
    StartIngest | StopIngest | Relabel | StartTurn | StartConversation | StartCrawl | StopCrawl,
    Field(discriminator="kind"),
]
_READER: TypeAdapter[Start] = TypeAdapter(Start)


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
    if isinstance(start, Relabel):
        await Relabelling(resources.database, resources.knowledge.index).document(principal.org_id, start.document_id)
        return
    if isinstance(start, StopCrawl):
        await resources.temporal.unschedule_crawl(start.source_id)
        return
    if isinstance(start, StartCrawl):
        await _begin_crawl(resources, principal, start.input)
        return
    await _begin_ingest(resources, principal, start)


async def _begin_ingest(resources: ApiResources, principal: Principal, start: StartIngest | StopIngest) -> None:
    async with resources.database.session(principal.org_id) as session:
        try:
            document = await store.get_document(session, start.input.document_id)
        except NotFound:  # deleted since: nothing is left to ingest
            return
    if document.revision != start.input.revision:  # a later request has taken over
        return
    if isinstance(start, StopIngest):
        await resources.temporal.stop_ingest(document.id)
    elif document.state == "queued":
        await resources.temporal.start_ingest(start.input, document.filename, document.size_bytes)


async def _begin_crawl(resources: ApiResources, principal: Principal, input: CrawlInput) -> None:
    async with resources.database.session(principal.org_id) as session:
        try:
            source = await sources.get_source(session, input.source_id)
        except NotFound:  # deleted since: nothing is left to read
            return
    if source.refresh_minutes is not None:
        await resources.temporal.schedule_crawl(input, source.name, source.refresh_minutes)
    if source.state == "queued":
        await resources.temporal.start_crawl(input, source.name)
