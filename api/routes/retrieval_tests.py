"""Questions that a collection must find answers to, and how well its search does."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field, model_validator

from api.dependencies import Reading, Resources, needs
from api.mutation import MutationRoute, Work
from api.pagination import Cursor, Limit, Page, cursor_of, page_after, page_of
from api.responses import errors
from api.routes.collections import EarlierLine, PassageOut, lines_of
from api.texts import RequestModel
from db.tables.questions import RetrievalTest
from domain.auth.principal import Principal
from domain.knowledge import retrieval_test_store as store
from domain.knowledge.join import joined
from domain.knowledge.retrieval_test import Expected, Judged, judge
from domain.knowledge.rewrite import RuleRewriter

PATH = "/v1/collections/{collection_id}/retrieval-tests"

router = APIRouter(prefix=PATH, tags=["retrieval tests"])
changes = APIRouter(prefix=PATH, tags=["retrieval tests"], route_class=MutationRoute)

Reader = Annotated[Principal, needs("collections:read")]
Writer = Annotated[Principal, needs("collections:write")]
Question = Annotated[str, Field(min_length=1, max_length=2000, examples=["How long may I return an item?"])]
Phrase = Annotated[str, Field(min_length=1, max_length=500)]
History = Annotated[list[EarlierLine], Field(max_length=20)]


class ExpectedItems(RequestModel):
    """At least one. phrases: texts that a found passage must have, without case and spacing."""

    documents: Annotated[list[UUID], Field(max_length=50)] = Field(default_factory=list)
    passages: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=50)] = Field(default_factory=list)
    phrases: Annotated[list[Phrase], Field(max_length=50)] = Field(default_factory=list)

    @model_validator(mode="after")
    def _not_empty(self) -> "ExpectedItems":
        if not (self.documents or self.passages or self.phrases):
            raise ValueError("name a document, a passage or a phrase")
        return self


class NewTest(RequestModel):
    question: Question
    expected: ExpectedItems
    history: History = Field(default_factory=list)


class NewTests(RequestModel):
    tests: Annotated[list[NewTest], Field(min_length=1, max_length=500)]


class TestChange(RequestModel):
    """What is left out stays."""

    question: Question | None = None
    expected: ExpectedItems | None = None
    history: History | None = None


class TestOut(BaseModel):
    id: UUID
    collection_id: UUID
    question: str
    expected: ExpectedItems
    history: list[EarlierLine]
    created_at: datetime
    updated_at: datetime


class TestsMade(BaseModel):
    data: list[TestOut]


class RunSettings(RequestModel):
    limit: Annotated[int, Field(ge=1, le=50)] = 10


class TestResult(BaseModel):
    """hits: what was met, by place (1 is first). searched: the question, or what it was rewritten to."""

    test_id: UUID
    question: str
    searched: str
    hit: bool
    reciprocal_rank: float
    ndcg: float
    hits: dict[str, int]
    missed: list[str]
    passages: list[PassageOut]


class RunResult(BaseModel):
    """Means over all tests, 0..1; null without tests."""

    tests: int
    hit_rate: float | None
    mrr: float | None
    ndcg: float | None
    data: list[TestResult]


@changes.post("", status_code=201, responses=errors(400, 404, 409, 413))
async def create_retrieval_test(principal: Writer, work: Work, collection_id: UUID, new: NewTest) -> TestOut:
    (row,) = await store.add(work.session, principal.org_id, collection_id, [_new(new)])
    return _show(row)


@changes.post("/import", status_code=201, responses=errors(400, 404, 409, 413))
async def import_retrieval_tests(principal: Writer, work: Work, collection_id: UUID, new: NewTests) -> TestsMade:
    """Many at once: all of them or none."""
    rows = await store.add(work.session, principal.org_id, collection_id, [_new(one) for one in new.tests])
    return TestsMade(data=[_show(row) for row in rows])


@router.get("", responses=errors(404))
async def list_retrieval_tests(
    _principal: Reader, session: Reading, collection_id: UUID, cursor: Cursor = None, limit: Limit = 50
) -> Page[TestOut]:
    """Newest first."""
    rows = await store.listed(session, collection_id, after=page_after(cursor), limit=limit + 1)
    return page_of(rows, limit, _show, lambda row: cursor_of(row.created_at, row.id))


@router.get("/{test_id}", responses=errors(404))
async def get_retrieval_test(_principal: Reader, session: Reading, collection_id: UUID, test_id: UUID) -> TestOut:
    return _show(await store.get(session, collection_id, test_id))


@changes.patch("/{test_id}", responses=errors(400, 404, 413))
async def update_retrieval_test(
    _principal: Writer, work: Work, collection_id: UUID, test_id: UUID, change: TestChange
) -> TestOut:
    values = change.model_dump(mode="json", exclude_none=True)
    return _show(await store.change(work.session, collection_id, test_id, values))


@changes.delete("/{test_id}", status_code=204, responses=errors(404))
async def delete_retrieval_test(_principal: Writer, work: Work, collection_id: UUID, test_id: UUID) -> None:
    await store.remove(work.session, collection_id, test_id)


@router.post("/run", responses=errors(400, 404, 413))
async def run_retrieval_tests(
    principal: Reader, resources: Resources, collection_id: UUID, settings: RunSettings
) -> RunResult:
    """Search for every question as an agent would, and judge what is found. Changes nothing."""
    async with resources.database.session(principal.org_id) as session:  # not held while the searches compute
        rows = await store.listed(session, collection_id)
    results = [await _run(resources, principal.org_id, row, settings.limit) for row in reversed(rows)]
    return RunResult(
        tests=len(results),
        hit_rate=_mean([float(one.hit) for one in results]),
        mrr=_mean([one.reciprocal_rank for one in results]),
        ndcg=_mean([one.ndcg for one in results]),
        data=results,
    )


async def _run(resources: Resources, org_id: UUID, row: RetrievalTest, limit: int) -> TestResult:
    test = _show(row)
    rewrite = await RuleRewriter().rewrite(test.question, lines_of(test.history))
    searched = test.question if rewrite is None else rewrite.query
    found = await resources.knowledge.find(org_id, [row.collection_id], searched, limit=limit)
    if rewrite is not None:
        said = await resources.knowledge.find(org_id, [row.collection_id], test.question, limit=limit)
        found = joined(said, found, limit=limit)
    wanted = test.expected
    judged: Judged = judge(
        found.passages, Expected(tuple(wanted.documents), tuple(wanted.passages), tuple(wanted.phrases))
    )
    return TestResult(
        test_id=row.id,
        question=row.question,
        searched=searched,
        hit=judged.hit,
        reciprocal_rank=judged.reciprocal_rank,
        ndcg=judged.ndcg,
        hits=judged.hits,
        missed=judged.missed,
        passages=[PassageOut.model_validate(one, from_attributes=True) for one in found.passages],
    )


def _mean(figures: list[float]) -> float | None:
    return sum(figures) / len(figures) if figures else None


def _new(new: NewTest) -> store.NewTest:
    said = new.model_dump(mode="json")
    return store.NewTest(new.question, said["history"], said["expected"])


def _show(row: RetrievalTest) -> TestOut:
    return TestOut.model_validate(row, from_attributes=True)
