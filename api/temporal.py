"""The API's one view of Temporal: what it starts, says to, asks and stops there.

Not for reading rows: what a run has done is in Postgres.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

from temporalio.client import (
    Client,
    ScheduleAlreadyRunningError,
    WithStartWorkflowOperation,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import (
    Priority,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from api.faults import InvalidParameter, Unavailable
from api.run_view import QUERY_TIMEOUT, RunDetail, RunPage, ask_details, ask_state, run_of
from api.schedules import crawl_schedule
from contracts import ids, queues, search
from contracts.conversation import (
    CloseConversation,
    ConversationClosed,
    ConversationInput,
    MessageAccepted,
    ParkedState,
    PostMessage,
    RetryNow,
)
from contracts.crawl import CrawlInput
from contracts.ingest import IngestInput
from contracts.options import TASK_TIMEOUT, ingest_priority
from contracts.turn import IncomingMessage, OneShotInput
from domain.errors import Conflict, ConversationIsClosed, DomainError, InboxFull, Invalid, NotFound, TooLarge
from workflows.conversation import ConversationWorkflow
from workflows.crawl import CrawlWorkflow
from workflows.ingest import IngestWorkflow
from workflows.turn import TurnWorkflow

_RPC_TIMEOUT = timedelta(seconds=8)
"""Rides out a restart of the frontend (2-5 s here), and answers 503 before most clients give up (30 s)."""

_UPDATE_SECONDS = 10.0
"""An update waits for a worker; accepted in 10 ms on a good day, and never while no worker runs."""

_POST_MESSAGE = "post_message"
"""Of ConversationWorkflow, by name: given the method, the client looks at the whole class for each message, which
takes an eighth of the API's time in a turn (temporalio 1.35.0)."""

_REFUSALS: dict[str, type[DomainError]] = {
    kind.code: kind for kind in (Conflict, ConversationIsClosed, InboxFull, Invalid, NotFound, TooLarge)
}
"""What a validator may answer, by the `type` of its ApplicationError."""

_AWAY = (
    RPCStatusCode.UNAVAILABLE,
    RPCStatusCode.DEADLINE_EXCEEDED,
    RPCStatusCode.CANCELLED,
    RPCStatusCode.RESOURCE_EXHAUSTED,
    RPCStatusCode.ABORTED,
)

WORKFLOW_TYPES = ("ConversationWorkflow", "TurnWorkflow", "IngestWorkflow", "CrawlWorkflow")


class Temporal:
    """Every method raises Unavailable when Temporal does not answer in time."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def post_message(
        self, conversation: ConversationInput, message: IncomingMessage, update_id: str
    ) -> MessageAccepted:
        """Wakes the conversation if it sleeps. Idempotent by update id while that run lives.

        Raises ConversationIsClosed, InboxFull, Invalid, TooLarge.
        """
        async with _answers(_UPDATE_SECONDS, gone=Unavailable):
            accepted: MessageAccepted = await self._client.execute_update_with_start_workflow(
                _POST_MESSAGE,
                PostMessage(message=message),
                start_workflow_operation=self._conversation(conversation),
                id=update_id,
                result_type=MessageAccepted,
                rpc_timeout=_RPC_TIMEOUT,
            )
        return accepted

    async def close_conversation(
        self, conversation: ConversationInput, reason: str, update_id: str
    ) -> ConversationClosed:
        """Messages already accepted are still answered. Idempotent."""
        async with _answers(_UPDATE_SECONDS, gone=Unavailable):
            return await self._client.execute_update_with_start_workflow(
                ConversationWorkflow.close,
                CloseConversation(reason=reason),
                start_workflow_operation=self._conversation(conversation),
                id=update_id,
                rpc_timeout=_RPC_TIMEOUT,
            )

    async def retry_turn(self, run_id: str, update_id: str) -> ParkedState:
        """End the pause of a parked turn. Idempotent by update id. Raises Conflict when none is parked."""
        handle: WorkflowHandle[Any, Any] = self._client.get_workflow_handle(run_id)
        async with _answers(_UPDATE_SECONDS, gone=Conflict):
            return await handle.execute_update(
                ConversationWorkflow.retry_now, RetryNow(), id=update_id, rpc_timeout=_RPC_TIMEOUT
            )

    async def start_conversation(self, input: ConversationInput) -> str:
        """Idempotent while it runs. Returns the run's id."""
        run_id = ids.conversation_workflow_id(input.conversation_id)
        async with _answers():
            await self._client.start_workflow(
                ConversationWorkflow.run,
                input,
                id=run_id,
                task_queue=queues.TURNS,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                **_common(input.org_id, "Conversation: one writer for all its turns", input.agent_version_id),
            )
        return run_id

    async def start_turn(self, input: OneShotInput) -> str:
        """Idempotent: a turn is run once, also when it has ended already. Returns the run's id."""
        run_id = ids.turn_workflow_id(input.ref.turn_id)
        async with _answers():
            try:
                await self._client.start_workflow(
                    TurnWorkflow.run,
                    input,
                    id=run_id,
                    task_queue=queues.TURNS,
                    id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                    **_common(
                        input.ref.org_id, "One turn for a caller without a conversation", input.ref.agent_version_id
                    ),
                )
            except WorkflowAlreadyStartedError:
                return run_id
        return run_id

    async def start_ingest(self, input: IngestInput, filename: str, size_bytes: int) -> str:
        """A later revision takes the place of a run of an earlier one. Returns the run's id."""
        run_id = ids.ingest_workflow_id(input.document_id)
        policy = WorkflowIDConflictPolicy.USE_EXISTING
        if input.revision > 1:
            policy = WorkflowIDConflictPolicy.TERMINATE_EXISTING
        async with _answers():
            await self._client.start_workflow(
                IngestWorkflow.run,
                input,
                id=run_id,
                task_queue=queues.INGEST,
                id_conflict_policy=policy,
                **_common(input.org_id, f"Ingest {filename[:100]}, revision {input.revision}")
                | {"priority": ingest_priority(input.org_id, size_bytes)},
            )
        return run_id

    async def stop_ingest(self, document_id: UUID) -> None:
        """Asks its run to stop, if there is one. Idempotent."""
        handle: WorkflowHandle[Any, Any] = self._client.get_workflow_handle(ids.ingest_workflow_id(document_id))
        with suppress(NotFound):
            async with _answers():
                await handle.cancel(rpc_timeout=_RPC_TIMEOUT)

    async def start_crawl(self, input: CrawlInput, name: str) -> str:
        """Idempotent while it runs. Returns the run's id."""
        run_id = ids.crawl_workflow_id(input.source_id)
        async with _answers():
            await self._client.start_workflow(
                CrawlWorkflow.run,
                input,
                id=run_id,
                task_queue=queues.INGEST,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                **_common(input.org_id, f"Read the source {name[:100]}"),
            )
        return run_id

    async def schedule_crawl(self, input: CrawlInput, name: str, minutes: int) -> None:
        """Read the source every so many minutes, never two at once. Idempotent."""
        common = _common(input.org_id, f"Read {name[:100]} again")
        schedule = crawl_schedule(input, minutes, common)
        async with _answers():
            try:
                await self._client.create_schedule(
                    ids.crawl_workflow_id(input.source_id), schedule, rpc_timeout=_RPC_TIMEOUT
                )
            except ScheduleAlreadyRunningError:
                return

    async def unschedule_crawl(self, source_id: UUID) -> None:
        """Idempotent."""
        handle = self._client.get_schedule_handle(ids.crawl_workflow_id(source_id))
        async with _answers():
            try:
                await handle.delete(rpc_timeout=_RPC_TIMEOUT)
            except RPCError as error:
                if error.status != RPCStatusCode.NOT_FOUND:
                    raise

    async def runs(
        self, org_id: UUID, *, workflow: str | None, status: str | None, limit: int, token: bytes | None
    ) -> RunPage:
        """Newest first. Raises InvalidParameter for a token that is none of ours."""
        wanted = [f"{search.ORG_ID.name} = '{org_id}'"]
        if workflow is not None:
            wanted.append(f"WorkflowType = '{workflow}'")
        if status is not None:
            wanted.append(
                f"ExecutionStatus = '{WorkflowExecutionStatus[status.upper()].name.title().replace('_', '')}'"
            )
        listing = self._client.list_workflows(
            " AND ".join(wanted), page_size=limit, next_page_token=token, rpc_timeout=_RPC_TIMEOUT
        )
        async with _answers():
            try:
                await listing.fetch_next_page()
            except RPCError as error:
                if error.status == RPCStatusCode.INVALID_ARGUMENT and token is not None:
                    raise InvalidParameter("the cursor is not valid", parameter="cursor") from error
                raise
        return RunPage([run_of(one) for one in listing.current_page or ()], listing.next_page_token or None)

    async def run(self, org_id: UUID, run_id: str) -> RunDetail:
        """Raises NotFound, also for a run of another organisation."""
        handle, described = await self._owned(org_id, run_id)
        state, details = await asyncio.gather(ask_state(handle, described), ask_details(handle))
        return RunDetail(run_of(described), await described.static_summary(), details, state)

    async def cancel(self, org_id: UUID, run_id: str) -> None:
        """Asks the run to stop; it ends in its own time. Idempotent. Raises NotFound, Conflict (it has ended)."""
        handle, described = await self._owned(org_id, run_id)
        if described.status != WorkflowExecutionStatus.RUNNING:
            raise Conflict("this run has ended")
        async with _answers():
            await handle.cancel(rpc_timeout=_RPC_TIMEOUT)

    async def healthy(self) -> bool:
        """Whether the frontend answers within two seconds."""
        try:
            return await self._client.service_client.check_health(timeout=QUERY_TIMEOUT)
        except RPCError:
            return False

    async def _owned(self, org_id: UUID, run_id: str) -> tuple[WorkflowHandle[Any, Any], WorkflowExecutionDescription]:
        handle: WorkflowHandle[Any, Any] = self._client.get_workflow_handle(run_id)
        async with _answers():
            described = await handle.describe(rpc_timeout=_RPC_TIMEOUT)
        if described.typed_search_attributes.get(search.ORG_ID) != str(org_id):
            raise NotFound("no such run")
        return handle, described

    def _conversation(
        self, input: ConversationInput
    ) -> WithStartWorkflowOperation[ConversationWorkflow, ConversationClosed]:
        return WithStartWorkflowOperation(
            ConversationWorkflow.run,
            input,
            id=ids.conversation_workflow_id(input.conversation_id),
            task_queue=queues.TURNS,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            **_common(input.org_id, "Conversation: one writer for all its turns", input.agent_version_id),
        )


def _common(org_id: UUID, summary: str, agent_version_id: UUID | None = None) -> dict[str, Any]:
    attributes: list[SearchAttributePair[Any]] = [
        SearchAttributePair(search.ORG_ID, str(org_id)),
        SearchAttributePair(search.STATE, "running"),
    ]
    if agent_version_id is not None:
        attributes.append(SearchAttributePair(search.AGENT_VERSION_ID, str(agent_version_id)))
    return {
        "task_timeout": TASK_TIMEOUT,
        "search_attributes": TypedSearchAttributes(attributes),
        "static_summary": summary,
        # One organisation's flood must not starve the others: the server takes tasks of each key in turn.
        "priority": Priority(fairness_key=org_id.hex),
    }


@asynccontextmanager
async def _answers(seconds: float | None = None, *, gone: type[DomainError] = NotFound) -> AsyncIterator[None]:
    """What Temporal answers, as the house says it.

    gone: what a missing run means. An update that wakes a conversation can meet it only while the old run
    ends, and is good at the second try.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise Unavailable("no worker took this up in time; send it again with the same Idempotency-Key") from error
    except WorkflowUpdateRPCTimeoutOrCancelledError as error:
        raise Unavailable("Temporal did not answer in time; send it again with the same Idempotency-Key") from error
    except WorkflowUpdateFailedError as error:
        cause = error.cause
        if isinstance(cause, ApplicationError) and cause.type in _REFUSALS:
            raise _REFUSALS[cause.type](cause.message) from error
        raise
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            raise gone("no such run") from error
        if error.status in _AWAY:
            raise Unavailable("Temporal is not reachable; send it again with the same Idempotency-Key") from error
        raise
