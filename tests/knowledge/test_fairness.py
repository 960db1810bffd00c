"""One organisation's flood does not delay another's page, and a large document lets small ones pass."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from temporalio.client import Client
from temporalio.service import RPCError

from api.temporal import Temporal
from contracts.ids import ingest_workflow_id
from contracts.ingest import IngestInput
from contracts.options import LARGE_BYTES
from db.engine import Database
from domain.knowledge.search import Knowledge
from runtime.embedded.postgres import EmbeddedPostgres
from tests.conftest import make_org
from tests.knowledge.library import Library

FLOOD = 30
LARGE, SMALL = 12, 4


def page(number: int) -> bytes:
    return b"# Page %d\n\nThe answer to riddle %d is number %d.\n" % (number, number, number * number)


async def uploaded(
    library: Library, temporal: Temporal, numbers: Sequence[int], *, size_bytes: int = 100
) -> list[IngestInput]:
    """Documents in the queue, as the API puts them there."""
    inputs = []
    for number in numbers:
        input = await library.upload(page(number), f"{number}.md")
        await temporal.start_ingest(input, f"{number}.md", size_bytes)
        inputs.append(input)
    return inputs


async def begun(
    client: Client, library: Library, inputs: Sequence[IngestInput], until: Sequence[IngestInput]
) -> list[UUID]:
    """The documents that a worker with one step at a time has begun, in order, when those of `until` are ready."""
    handles = {each.document_id: client.get_workflow_handle(ingest_workflow_id(each.document_id)) for each in inputs}
    async with library.worker(at_once=1):
        for each in until:
            await handles[each.document_id].result()
    first: list[tuple[int, UUID]] = []
    for document_id, handle in handles.items():
        history = await handle.fetch_history()
        steps_begun = [e for e in history.events if e.HasField("activity_task_started_event_attributes")]
        first += [(steps_begun[0].event_time.ToNanoseconds(), document_id)] if steps_begun else []
        with suppress(RPCError):  # ended already; what is left would be worked on by the next test's worker
            await handle.terminate()
    return [document_id for _, document_id in sorted(first)]


async def test_another_organisations_page_does_not_wait_for_a_flood(
    database: Database,
    temporal_client: Client,
    postgres: EmbeddedPostgres,
    org: UUID,
    tmp_path: Path,
    knowledge: Knowledge,
) -> None:
    temporal = Temporal(temporal_client)
    loud = Library(database, temporal_client, org, tmp_path, knowledge)
    quiet = Library(database, temporal_client, await make_org(postgres), tmp_path, knowledge)
    await loud.open()
    await quiet.open()
    flood = await uploaded(loud, temporal, range(FLOOD))
    [mine] = await uploaded(quiet, temporal, [0])
    order = await begun(temporal_client, loud, [*flood, mine], until=[mine])
    assert order.index(mine.document_id) < FLOOD / 3, "in the order of arrival it would be the last"


async def test_small_documents_pass_a_large_one(
    database: Database, temporal_client: Client, org: UUID, tmp_path: Path, knowledge: Knowledge
) -> None:
    temporal = Temporal(temporal_client)
    library = Library(database, temporal_client, org, tmp_path, knowledge)
    await library.open()
    large = await uploaded(library, temporal, range(LARGE), size_bytes=LARGE_BYTES)
    small = await uploaded(library, temporal, range(100, 100 + SMALL))
    order = await begun(temporal_client, library, [*large, *small], until=small)
    last = max(order.index(each.document_id) for each in small)
    assert last <= SMALL, "one may be begun already; in the order of arrival all large ones would be"
