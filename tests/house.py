"""A house that answers: the real worker in this process, on the session's Postgres and Temporal."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy

import worker
from contracts import ids, options, queues
from contracts.conversation import ConversationInput, MessageAccepted, PostMessage
from contracts.events import TURN_ENDS
from contracts.turn import IncomingMessage, TurnRef
from domain.conversations.log import LoggedEvent, read_events
from runtime.embedded.postgres import EmbeddedPostgres
from runtime.embedded.temporal import EmbeddedTemporal
from runtime.resources import Resources, open_resources
from runtime.settings import Settings
from workflows.conversation import ConversationWorkflow

MODELS = Path(__file__).parents[1] / "build" / "models"
"""Converted model files, made once a checkout."""


def data_folder(folder: Path) -> Path:
    """A data folder of its own that shares the converted model files."""
    MODELS.mkdir(parents=True, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "models").exists():
        (folder / "models").symlink_to(MODELS)
    return folder


@dataclass(frozen=True)
class House:
    resources: Resources
    client: Client

    async def post(
        self, ref: TurnRef, text: str, *, message_id: UUID | None = None, **overrides: int
    ) -> MessageAccepted:
        """Say something in a conversation, waking its workflow when it sleeps."""
        input = ConversationInput(
            org_id=ref.org_id,
            conversation_id=ref.conversation_id,
            agent_version_id=ref.agent_version_id,
            **overrides,  # type: ignore[arg-type]
        )
        start = WithStartWorkflowOperation(
            ConversationWorkflow.run,
            input,
            id=ids.conversation_workflow_id(ref.conversation_id),
            task_queue=queues.TURNS,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            task_timeout=options.TASK_TIMEOUT,
        )
        message = IncomingMessage(id=message_id or uuid4(), text=text)
        return await self.client.execute_update_with_start_workflow(
            ConversationWorkflow.post_message, PostMessage(message=message), start_workflow_operation=start
        )

    async def events(self, ref: TurnRef, *, turns: int = 1, seconds: float = 30) -> list[LoggedEvent]:
        """All events of the conversation once so many turns have ended; the log is gapless."""
        async with asyncio.timeout(seconds):
            while True:
                events = await read_events(self.resources.database, ref.org_id, ref.conversation_id, 0, 100_000)
                assert [e.seq for e in events] == list(range(1, len(events) + 1))
                if sum(e.type in TURN_ENDS for e in events) >= turns:
                    return events
                await asyncio.sleep(0.02)


@asynccontextmanager
async def open_house(settings: Settings, client: Client) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        resources = await stack.enter_async_context(open_resources(settings, "test"))
        await worker.start_workers(stack, client, resources, queues.ALL)
        yield House(resources, client)


@asynccontextmanager
async def house_on(
    postgres: EmbeddedPostgres, temporal: EmbeddedTemporal, client: Client, folder: Path, **settings: Any
) -> AsyncIterator[House]:
    """A house on the session's servers, with a data folder and settings of its own."""
    own = Settings(
        database_url=postgres.url, temporal_address=temporal.address, data_dir=data_folder(folder), **settings
    )
    async with open_house(own, client) as house:
        yield house
