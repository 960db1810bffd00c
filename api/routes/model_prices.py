"""Model prices: what an organisation says its models cost, where the deployment's tables are silent or wrong."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field

from api.dependencies import Reading, Resources, needs
from api.mutation import MutationRoute, Work
from api.pagination import Cursor, Limit, Page, cursor_of, page_after, page_of
from api.responses import errors
from api.texts import KeepableText, RequestModel
from db.tables.spending import ModelPrice
from domain.auth.principal import Principal
from domain.models import price_store
from domain.models.prices import Price, Rate
from domain.models.rates import Rates

router = APIRouter(prefix="/v1/model-prices", tags=["spending"])
changes = APIRouter(prefix="/v1/model-prices", tags=["spending"], route_class=MutationRoute)

Reader = Annotated[Principal, needs("spend:read")]
Writer = Annotated[Principal, needs("spend:write")]
Provider = Annotated[str, Field(min_length=1, max_length=40, description="The name it has in this deployment.")]
Model = Annotated[str, Field(min_length=1, max_length=120)]


class NewModelPrice(RequestModel, Rates):
    """US dollars for a million tokens, from valid_from on (now unless given). source: where the price is from."""

    provider: Provider
    model: Model
    valid_from: AwareDatetime | None = None
    source: Annotated[str, Field(min_length=1, max_length=500, examples=["contract of March 2026"])]


class ModelPriceOut(BaseModel):
    id: UUID
    provider: str
    model: str
    valid_from: datetime
    input: Decimal
    output: Decimal
    cached_input: Decimal | None
    cache_write: Decimal | None
    source: str
    created_at: datetime


class PriceNow(BaseModel):
    """US dollars for a million tokens. source "unknown": nobody says what the model costs, and its calls count as 0.

    Rates that rise with the length of a request are given by their lowest.
    """

    provider: str
    model: str
    source: str
    input: Decimal
    output: Decimal
    cached_input: Decimal
    cache_write: Decimal


@changes.post("", status_code=201, responses=errors(400, 413))
async def set_model_price(principal: Writer, work: Work, new: NewModelPrice) -> ModelPriceOut:
    """Holds for calls that begin half a minute later. One for the same model and moment is replaced."""
    given = new.model_dump() | {"valid_from": new.valid_from or datetime.now(UTC)}
    return _show(await price_store.set_price(work.session, principal.org_id, given))


@router.get("", responses=errors())
async def list_model_prices(
    _principal: Reader, session: Reading, cursor: Cursor = None, limit: Limit = 50
) -> Page[ModelPriceOut]:
    """Those that the organisation has set, newest first."""
    rows = await price_store.list_prices(session, after=page_after(cursor), limit=limit + 1)
    return page_of(rows, limit, _show, lambda row: cursor_of(row.created_at, row.id))


@router.get("/current", responses=errors())
async def get_current_price(
    principal: Reader,
    resources: Resources,
    provider: Annotated[KeepableText, Query(min_length=1, max_length=40)],
    model: Annotated[KeepableText, Query(min_length=1, max_length=120)],
) -> PriceNow:
    """The price by which a call would be counted now, and who says so."""
    price = await resources.prices.price(principal.org_id, provider, model)
    return _now(provider, model, price)


@changes.delete("/{price_id}", status_code=204, responses=errors(404))
async def delete_model_price(_principal: Writer, work: Work, price_id: UUID) -> None:
    """What was counted by it stays as it is."""
    await price_store.delete_price(work.session, price_id)


def _show(row: ModelPrice) -> ModelPriceOut:
    return ModelPriceOut(**row.model_dump(exclude={"org_id"}))


def _now(provider: str, model: str, price: Price) -> PriceNow:
    def base(rate: Rate | None) -> Decimal:
        return (rate or price.input).base

    return PriceNow(
        provider=provider,
        model=model,
        source=price.source,
        input=price.input.base,
        output=price.output.base,
        cached_input=base(price.cached),
        cache_write=base(price.cache_write),
    )
