"""Collections of documents, and the search over one."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from api.dependencies import Reading, Resources, needs
from api.mutation import MutationRoute, Work
from api.pagination import Cursor, Limit, Page, cursor_of, page_after, page_of
from api.responses import errors
from api.texts import RequestModel
from db.tables.knowledge import Collection
from domain.agents.config import Name
from domain.auth.principal import Principal
from domain.knowledge import store
from domain.knowledge.answerability import NOTHING_RELEVANT
from domain.knowledge.filters import Filters, Reranking
from domain.knowledge.join import joined
from domain.knowledge.rewrite import HISTORY_CHARS, HISTORY_MESSAGES, Line, RuleRewriter
from domain.knowledge.search import Found

router = APIRouter(prefix="/v1/collections", tags=["collections"])
changes = APIRouter(prefix="/v1/collections", tags=["collections"], route_class=MutationRoute)

Reader = Annotated[Principal, needs("collections:read")]
Writer = Annotated[Principal, needs("collections:write")]
Description = Annotated[str, Field(max_length=2000)]


class CollectionOut(BaseModel):
    id: UUID
    name: str
    description: str
    created_at: datetime
    updated_at: datetime


class CollectionDetail(CollectionOut):
    """documents: how many are in each state."""

    documents: dict[str, int]


class NewCollection(RequestModel):
    name: Annotated[Name, Field(examples=["handbook"])]
    description: Description = ""


class CollectionChange(RequestModel):
    """What is left out stays."""

    name: Name | None = None
    description: Description | None = None


class EarlierLine(RequestModel):
    """An earlier message of the conversation that the query continues."""

    role: Literal["user", "assistant"]
    text: Annotated[str, Field(max_length=32_000)]


class SearchQuery(RequestModel):
    """history: oldest first; a query that leans on it is rewritten, as a turn's message is."""

    query: Annotated[str, Field(min_length=1, max_length=2000, examples=["How long may I return an item?"])]
    limit: Annotated[int, Field(ge=1, le=50)] = 6
    min_score: Annotated[float, Field(ge=0, le=1)] = 0.0
    filters: Filters = Filters()
    rerank: Reranking = "local"
    history: Annotated[list[EarlierLine], Field(max_length=20)] = Field(default_factory=list)


class PassageOut(BaseModel):
    """char_start and char_end are code points in the document's extracted text; score is 0..1.

    explanation: what each stage said: dense (cosine), keyword (BM25), coverage (of the question's words, 0..1),
    fused, and reranked where the passage was looked at again.
    """

    id: str
    collection_id: UUID
    document_id: UUID
    title: str
    heading: str
    page: int | None
    char_start: int
    char_end: int
    text: str
    score: float
    explanation: dict[str, float]


class SearchResult(BaseModel):
    """answerable: 0..1, how likely these passages answer the query. nothing_relevant: hardly.

    reranker: whose order it is; null for the fused one. milliseconds: by stage. searched: the query, or what it was
    rewritten to.
    """

    data: list[PassageOut]
    answerable: float
    nothing_relevant: bool
    reranker: str | None
    milliseconds: dict[str, float]
    searched: str


@changes.post("", status_code=201, responses=errors(400, 409, 413))
async def create_collection(principal: Writer, work: Work, new: NewCollection, response: Response) -> CollectionOut:
    made = await store.create_collection(work.session, principal.org_id, new.name, new.description)
    response.headers["Location"] = f"/v1/collections/{made.id}"
    return _show(made)


@router.get("", responses=errors())
async def list_collections(
    _principal: Reader, session: Reading, cursor: Cursor = None, limit: Limit = 50
) -> Page[CollectionOut]:
    """Newest first."""
    rows = await store.list_collections(session, after=page_after(cursor), limit=limit + 1)
    return page_of(rows, limit, _show, lambda row: cursor_of(row.created_at, row.id))


@router.get("/{collection_id}", responses=errors(404))
async def get_collection(_principal: Reader, session: Reading, collection_id: UUID) -> CollectionDetail:
    row = await store.get_collection(session, collection_id)
    counts = await store.count_documents(session, collection_id)
    return CollectionDetail(**_show(row).model_dump(), documents=counts)


@changes.patch("/{collection_id}", responses=errors(400, 404, 409, 413))
async def update_collection(
    _principal: Writer, work: Work, collection_id: UUID, change: CollectionChange
) -> CollectionOut:
    return _show(
        await store.update_collection(work.session, collection_id, name=change.name, description=change.description)
    )


@changes.delete("/{collection_id}", status_code=204, responses=errors(404))
async def delete_collection(principal: Writer, work: Work, resources: Resources, collection_id: UUID) -> None:
    """Delete a collection with its documents and passages. Citations of past answers keep their quotes."""
    documents = await store.delete_collection(work.session, collection_id)
    await resources.removal.collection(principal.org_id, collection_id, documents)


@router.post("/{collection_id}/search", responses=errors(400, 404, 413))
async def search_collection(
    principal: Reader, resources: Resources, collection_id: UUID, search: SearchQuery
) -> SearchResult:
    """The passages that an agent would be given for this text, best first. Changes nothing."""
    async with resources.database.session(principal.org_id) as session:  # not held while the search computes
        await store.get_collection(session, collection_id)
    rewrite = await RuleRewriter().rewrite(search.query, lines_of(search.history))
    searched = search.query if rewrite is None else rewrite.query

    async def find(query: str) -> Found:
        return await resources.knowledge.find(
            principal.org_id,
            [collection_id],
            query,
            limit=search.limit,
            min_score=search.min_score,
            filters=search.filters,
            rerank=search.rerank,
        )

    found = await find(searched)
    if rewrite is not None:
        found = joined(await find(search.query), found, limit=search.limit, min_score=search.min_score)
    return SearchResult(
        data=[PassageOut.model_validate(one, from_attributes=True) for one in found.passages],
        answerable=found.answerable,
        nothing_relevant=found.answerable < NOTHING_RELEVANT,
        reranker=found.reranker,
        milliseconds=found.milliseconds,
        searched=searched,
    )


def lines_of(history: Sequence[EarlierLine]) -> list[Line]:
    """As much of it as a turn would see."""
    return [Line(line.role, line.text[:HISTORY_CHARS]) for line in history[-HISTORY_MESSAGES:]]


def _show(row: Collection) -> CollectionOut:
    return CollectionOut.model_validate(row, from_attributes=True)
