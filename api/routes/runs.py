"""Runs: any workflow of the product, started, watched and cancelled by its owner.

A run's id is its workflow id, such as `conversation/<uuid>`; the slash may stand in the path as it is
or as `%2F`.
"""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from fastapi import APIRouter, Body, Path, Query, Request, Response
from pydantic import BaseModel, Field

from api import one_shot
from api.dependencies import Resources, needs
from api.mutation import MutationRoute, Work, idempotency_key
from api.pagination import Cursor, Limit, Page, token_after, token_cursor
from api.responses import errors
from api.routes.agents import working
from api.routes.documents import ingest_input
from api.routes.messages import MessageText
from api.run_view import Run
from api.starts import StartConversation, StartIngest, StartTurn
from api.texts import KeepableText, RequestModel
from contracts import ids
from contracts.conversation import ConversationInput
from domain.agents import store as agents
from domain.auth.principal import Principal
from domain.conversations import store as conversations
from domain.errors import ConversationIsClosed
from domain.knowledge import store as documents

router = APIRouter(prefix="/v1/runs", tags=["runs"])
changes = APIRouter(prefix="/v1/runs", tags=["runs"], route_class=MutationRoute)

Reader = Annotated[Principal, needs("runs:read")]
Writer = Annotated[Principal, needs("runs:write")]
RunId = Annotated[KeepableText, Path(max_length=300, examples=["turn/0b9a4a3e-0000-4000-8000-000000000000"])]
WorkflowType = Literal["ConversationWorkflow", "TurnWorkflow", "IngestWorkflow", "CrawlWorkflow"]
Status = Literal["running", "completed", "failed", "canceled", "terminated", "continued_as_new", "timed_out"]


class TurnAsked(RequestModel):
    agent_id: UUID
    text: MessageText


class IngestAsked(RequestModel):
    document_id: UUID


class ConversationAsked(RequestModel):
    conversation_id: UUID


class NewTurnRun(RequestModel):
    """One turn for a caller without a conversation."""

    workflow: Literal["TurnWorkflow"]
    input: TurnAsked


class NewIngestRun(RequestModel):
    """Ingest a stored document again."""

    workflow: Literal["IngestWorkflow"]
    input: IngestAsked


class NewConversationRun(RequestModel):
    """Wake a conversation's workflow; one that runs already is left as it is."""

    workflow: Literal["ConversationWorkflow"]
    input: ConversationAsked


NewRun = Annotated[NewTurnRun | NewIngestRun | NewConversationRun, Body(discriminator="workflow")]


class RunStarted(BaseModel):
    """conversation_id: where the events of a turn or conversation are."""

    id: str
    workflow: WorkflowType
    conversation_id: UUID | None = None
    document_id: UUID | None = None


class RunOut(BaseModel):
    id: str
    workflow: str
    status: str
    queue: str
    started_at: datetime
    closed_at: datetime | None
    history_length: int = Field(description="Events in Temporal's history of the latest run.")


class RunDetailOut(RunOut):
    """summary, details and state are what the workflow says of itself; null when no worker could be asked."""

    summary: str | None
    details: str | None
    state: dict[str, Any] | None


class Cancelled(BaseModel):
    id: str
    cancel_requested: bool = True


@changes.post("", status_code=202, responses=errors(400, 404, 409, 413))
async def start_run(principal: Writer, work: Work, new: NewRun, response: Response) -> RunStarted:
    """Start a workflow. The organisation is always the caller's own."""
    if isinstance(new, NewTurnRun):
        started = await _turn(work, principal, new.input)
    elif isinstance(new, NewIngestRun):
        started = await _ingest(work, new.input)
    else:
        started = await _conversation(work, principal, new.input)
    response.headers["Location"] = f"/v1/runs/{started.id}"
    return started


@router.get("", responses=errors())
async def list_runs(
    principal: Reader,
    resources: Resources,
    workflow: Annotated[WorkflowType | None, Query()] = None,
    status: Annotated[Status | None, Query()] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[RunOut]:
    """Newest first. A run appears within a second of its start."""
    page = await resources.temporal.runs(
        principal.org_id, workflow=workflow, status=status, limit=limit, token=token_after(cursor)
    )
    return Page(data=[_show(run) for run in page.runs], next_cursor=token_cursor(page.next_token))


@router.post("/{run_id:path}/cancel", status_code=202, responses=errors(404, 409))
async def cancel_run(
    principal: Writer, resources: Resources, request: Request, response: Response, run_id: RunId
) -> Cancelled:
    """Ask a run to stop. A cancelled turn still ends with an explanation. Idempotent by nature."""
    response.headers["Idempotency-Key"] = idempotency_key(request, resources)
    await resources.temporal.cancel(principal.org_id, run_id)
    return Cancelled(id=run_id)


@router.get("/{run_id:path}", responses=errors(404))
async def get_run(principal: Reader, resources: Resources, run_id: RunId) -> RunDetailOut:
    """A run with what its workflow says of itself."""
    found = await resources.temporal.run(principal.org_id, run_id)
    return RunDetailOut(
        **_show(found.run).model_dump(), summary=found.summary, details=found.details, state=found.state
    )


async def _turn(work: Work, principal: Principal, asked: TurnAsked) -> RunStarted:
    agent = working(await agents.get_agent(work.session, asked.agent_id))
    conversation_id = uuid4()
    turn = await one_shot.lay_down(work.session, conversation_id, agent, [], asked.text, api_key_id=principal.key_id)
    work.start = StartTurn(input=turn)
    return RunStarted(
        id=ids.turn_workflow_id(turn.ref.turn_id), workflow="TurnWorkflow", conversation_id=conversation_id
    )


async def _ingest(work: Work, asked: IngestAsked) -> RunStarted:
    document = await documents.retry_document(work.session, asked.document_id)
    work.start = StartIngest(input=ingest_input(document))
    return RunStarted(id=ids.ingest_workflow_id(document.id), workflow="IngestWorkflow", document_id=document.id)


async def _conversation(work: Work, principal: Principal, asked: ConversationAsked) -> RunStarted:
    row = await conversations.get_conversation(work.session, asked.conversation_id)
    if row.state != "open":
        raise ConversationIsClosed("this conversation is closed")
    work.start = StartConversation(
        input=ConversationInput(org_id=principal.org_id, conversation_id=row.id, agent_version_id=row.agent_version_id)
    )
    return RunStarted(id=ids.conversation_workflow_id(row.id), workflow="ConversationWorkflow", conversation_id=row.id)


def _show(run: Run) -> RunOut:
    return RunOut.model_validate(run, from_attributes=True)
