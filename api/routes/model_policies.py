"""Model policies: which models may answer for an organisation or an agent, how they are, and who would be asked."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from api.dependencies import Reading, Resources, needs
from api.mutation import MutationRoute, Work
from api.pagination import Cursor, Limit, Page, number_after, number_cursor, page_of
from api.responses import errors
from api.texts import KeepableText, RequestModel
from db.tables.models import ModelPolicyRow
from domain.agents import store as agents
from domain.agents.config import AgentConfig
from domain.auth.principal import Principal
from domain.errors import FailureKind
from domain.models import health_store, policy_store
from domain.models.call import TaskClass
from domain.models.choice import Need, Why
from domain.models.policy import Capability, ModelPolicy

router = APIRouter(prefix="/v1", tags=["models"])
changes = APIRouter(prefix="/v1", tags=["models"], route_class=MutationRoute)

Reader = Annotated[Principal, needs("agents:read")]
Writer = Annotated[Principal, needs("agents:write")]
Tokens = Annotated[int, Query(ge=0, le=100_000_000)]


class NewModelPolicy(RequestModel):
    """agent_id: whose policy; without it the organisation's. A policy without tasks takes back the one before."""

    policy: ModelPolicy
    agent_id: UUID | None = None
    note: Annotated[str, Field(max_length=500)] = ""


class ModelPolicyOut(BaseModel):
    """The highest number of an agent, or of the organisation (agent_id null), is in force."""

    id: UUID
    agent_id: UUID | None
    number: int
    policy: ModelPolicy
    note: str
    created_at: datetime


class CandidateOut(BaseModel):
    """probe: its breaker is half open, so one call at a time may try it."""

    provider: str
    model: str
    region: str | None
    context_tokens: int
    probe: bool


class PassedOverOut(BaseModel):
    """seconds: until it may be asked, where that is known."""

    provider: str
    model: str
    why: Why
    detail: str
    seconds: float | None


class ModelChoice(BaseModel):
    """candidates in the order in which they would be asked. origin: whose policy it is."""

    origin: str
    because: str
    candidates: list[CandidateOut]
    passed_over: list[PassedOverOut]


class ModelHealth(BaseModel):
    """A model that is not well. opens: how often its breaker opened in a row. open_until: nobody asks it before."""

    provider: str
    model: str
    state: Literal["open", "half_open"]
    opens: int
    open_until: datetime
    failure: FailureKind | None
    detail: str | None
    changed_at: datetime


class ModelHealthList(BaseModel):
    """Those that are not listed are well."""

    data: list[ModelHealth]


@changes.post("/model-policies", status_code=201, responses=errors(400, 404, 413))
async def set_model_policy(principal: Writer, work: Work, new: NewModelPolicy, response: Response) -> ModelPolicyOut:
    """In force for calls that begin two seconds later; what was in force before stays in the list."""
    row = await policy_store.add(work.session, principal.org_id, new.agent_id, new.policy, note=new.note)
    response.headers["Location"] = (
        f"/v1/model-policies?agent_id={row.agent_id}" if row.agent_id else "/v1/model-policies"
    )
    return _show(row)


@router.get("/model-policies", responses=errors(404))
async def list_model_policies(
    _principal: Reader,
    session: Reading,
    agent_id: Annotated[UUID | None, Query(description="Of this agent; without it the organisation's own.")] = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[ModelPolicyOut]:
    """Newest first; the first is in force."""
    if agent_id is not None:
        await agents.get_agent(session, agent_id)
    rows = await policy_store.versions(session, agent_id, before=number_after(cursor), limit=limit + 1)
    return page_of(rows, limit, _show, lambda row: number_cursor(row.number))


@router.get("/agents/{agent_id}/model-choice", responses=errors(404))
async def get_model_choice(
    principal: Reader,
    session: Reading,
    resources: Resources,
    agent_id: UUID,
    task: TaskClass = "reply",
    tier: Annotated[KeepableText | None, Query(max_length=60)] = None,
    input_tokens: Tokens = 0,
    output_tokens: Tokens = 1024,
    capability: Annotated[list[Capability] | None, Query(description="What the model must be able to do.")] = None,
) -> ModelChoice:
    """Who would be asked now, in order, and why the others would not. Asks nobody."""
    current = await agents.get_agent(session, agent_id)
    need = Need(task, tier, input_tokens, output_tokens, frozenset(capability or ()))
    settings = AgentConfig.model_validate(current.version.config).model
    origin, choice = await resources.router.explain(principal.org_id, current.version.id, settings, need)
    return ModelChoice(
        origin=origin,
        because=choice.because,
        candidates=[
            CandidateOut(
                provider=option.provider,
                model=option.model,
                region=option.facts.region,
                context_tokens=option.facts.context_tokens,
                probe=option.probe,
            )
            for option in choice.options
        ],
        passed_over=[PassedOverOut.model_validate(each, from_attributes=True) for each in choice.passed_over],
    )


@router.get("/model-health", responses=errors())
async def list_model_health(_principal: Reader, resources: Resources) -> ModelHealthList:
    """Breakers that are not closed, as all workers share them."""
    rows, now = await health_store.read(resources.database), datetime.now(UTC)
    return ModelHealthList(
        data=[
            ModelHealth(
                provider=row.provider,
                model=row.model,
                state="open" if row.open_seconds > 0 else "half_open",
                opens=row.opens,
                open_until=now + timedelta(seconds=row.open_seconds),
                failure=row.last_kind,
                detail=row.last_detail,
                changed_at=row.changed_at,
            )
            for row in rows
        ]
    )


def _show(row: ModelPolicyRow) -> ModelPolicyOut:
    return ModelPolicyOut.model_validate(row, from_attributes=True)
