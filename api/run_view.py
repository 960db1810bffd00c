"""A workflow as its owner may see it: what Temporal knows of it, and what it says of itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import (
    WorkflowExecution,
    WorkflowExecutionDescription,
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
)
from temporalio.service import RPCError

from contracts.conversation import ConversationState
from contracts.crawl import CrawlState
from contracts.ingest import IngestState

QUERY_TIMEOUT = timedelta(seconds=2)
"""A query needs a worker; without one the rest of a run's description is still worth having."""

_STATES: dict[str, type[ConversationState | IngestState | CrawlState]] = {
    "ConversationWorkflow": ConversationState,
    "TurnWorkflow": ConversationState,
    "IngestWorkflow": IngestState,
    "CrawlWorkflow": CrawlState,
}


@dataclass(frozen=True, slots=True)
class Run:
    """A workflow as its owner may see it. status is Temporal's, lower case."""

    id: str
    workflow: str
    status: str
    queue: str
    started_at: datetime
    closed_at: datetime | None
    history_length: int


@dataclass(frozen=True, slots=True)
class RunDetail:
    """state and details are None when no worker could be asked."""

    run: Run
    summary: str | None
    details: str | None
    state: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class RunPage:
    runs: Sequence[Run]
    next_token: bytes | None


def run_of(execution: WorkflowExecution) -> Run:
    return Run(
        id=execution.id,
        workflow=execution.workflow_type,
        status=execution.status.name.lower() if execution.status is not None else "unknown",
        queue=execution.task_queue,
        started_at=execution.start_time,
        closed_at=execution.close_time,
        history_length=execution.history_length,
    )


async def ask_state(handle: WorkflowHandle[Any, Any], described: WorkflowExecutionDescription) -> dict[str, Any] | None:
    kind = _STATES.get(described.workflow_type)
    if kind is None:
        return None
    try:
        answer = await handle.query("state", result_type=kind, rpc_timeout=QUERY_TIMEOUT)
    except (RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError):
        return None
    state: dict[str, Any] = answer.model_dump(mode="json")
    return state


async def ask_details(handle: WorkflowHandle[Any, Any]) -> str | None:
    try:
        answer: WorkflowMetadata = await handle.query(
            "__temporal_workflow_metadata", result_type=WorkflowMetadata, rpc_timeout=QUERY_TIMEOUT
        )
    except (RPCError, WorkflowQueryFailedError, WorkflowQueryRejectedError):
        return None
    return answer.current_details or None
