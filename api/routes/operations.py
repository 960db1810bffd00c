"""What machines ask: alive, ready, metrics; and what each kind of problem means. No key needed."""

import asyncio
from typing import Annotated, Literal

import asyncpg
from fastapi import APIRouter, Path, Response
from pydantic import BaseModel

from api import problems
from api.dependencies import Resources
from api.resources import ApiResources
from domain.errors import NotFound
from runtime.metrics import CONTENT_TYPE

router = APIRouter(tags=["operations"])

_PATIENCE_SECONDS = 2.0
"""Kubernetes gives a probe 1 s by default and calls three misses a failure; the answer names the culprit."""


class Health(BaseModel):
    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    status: Literal["ready", "not_ready"]
    postgres: bool
    temporal: bool


class ProblemKind(BaseModel):
    """retryable: the same request may succeed later."""

    code: str
    title: str
    status: int
    retryable: bool
    meaning: str


@router.get("/health")
@router.get("/healthz", include_in_schema=False)
async def get_health() -> Health:
    """The process serves requests."""
    return Health()


@router.get("/ready", responses={503: {"model": Readiness, "description": "Something it needs does not answer."}})
@router.get("/readyz", include_in_schema=False)
async def get_readiness(resources: Resources, response: Response) -> Readiness:
    """Postgres and Temporal answer."""
    postgres, temporal = await asyncio.gather(_postgres(resources), resources.temporal.healthy())
    ready = postgres and temporal
    response.status_code = 200 if ready else 503
    return Readiness(status="ready" if ready else "not_ready", postgres=postgres, temporal=temporal)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus format."}},
)
async def get_metrics(resources: Resources) -> Response:
    """Metrics of this process."""
    resources.metrics.streams.set(resources.hub.readers)
    return Response(resources.metrics.text(), media_type=CONTENT_TYPE)


@router.get("/problems", responses={200: {"description": "Every kind of problem there is."}})
async def list_problems() -> list[ProblemKind]:
    return [_kind(code) for code in sorted(problems.known_codes())]


@router.get("/problems/{code}")
async def get_problem(code: Annotated[str, Path(max_length=100)]) -> ProblemKind:
    """What a problem's `type` means."""
    if code not in problems.known_codes():
        raise NotFound("no such problem")
    return _kind(code)


def _kind(code: str) -> ProblemKind:
    kind = problems.known_codes()[code]
    return ProblemKind(
        code=code,
        title=problems.title(code),
        status=kind.status,
        retryable=kind.retryable,
        meaning=(kind.__doc__ or problems.title(code)).strip(),
    )


async def _postgres(resources: ApiResources) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return bool(await resources.database.pool.fetchval("SELECT true"))
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False
