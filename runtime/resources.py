"""What a process is given: opened once from the settings at its root, closed at its end."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pydantic import SecretStr

from db.engine import Database
from domain.knowledge.e5 import E5Embedder
from domain.knowledge.openai_embedder import OpenAIEmbedder
from domain.knowledge.rerank_http import HttpReranker
from domain.knowledge.search import Knowledge
from domain.knowledge.storage import Storage
from domain.knowledge.storages import open_storage
from domain.llm.providers import Providers, configured_providers
from domain.llm.wire import Patience
from domain.models.breaker import Breakers
from domain.models.ledger import Ledger
from domain.models.limits import Limits
from domain.models.policies import Policies
from domain.models.price_book import PriceBook, Seller
from domain.models.router import ModelRouter
from runtime.metrics import Metrics
from runtime.provider_configs import provider_configs
from runtime.settings import Settings
from runtime.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Resources:
    """Shared by the API and the workers; each builds its own doors on top.

    embedder routes messages; passages and their questions may have one of a provider, inside `knowledge`.
    """

    settings: Settings
    database: Database
    embedder: E5Embedder
    knowledge: Knowledge
    storage: Storage
    providers: Providers
    ledger: Ledger
    router: ModelRouter
    telemetry: Telemetry
    metrics: Metrics


@asynccontextmanager
async def open_resources(settings: Settings, service: str) -> AsyncIterator[Resources]:
    """service names the process in traces. Raises RuntimeError without a database, OSError when it is away."""
    if settings.database_url is None:
        raise RuntimeError("DATABASE_URL is not set; `everturn up` sets it for what it starts")
    database = Database(settings.database_url, role=settings.database_role, connections=settings.database_connections)
    await database.open()
    telemetry = Telemetry.start(service, settings.otlp_endpoint)
    embedder = E5Embedder(settings.data_dir / "models")
    remote, reranker = _remote_embedder(settings), _remote_reranker(settings)
    providers = configured_providers(
        embedder,
        provider_configs(settings),
        default=settings.default_provider,
        patience=Patience(
            first_token_seconds=settings.provider_first_token_seconds,
            idle_seconds=settings.provider_idle_seconds,
            reply_seconds=settings.provider_reply_seconds,
        ),
    )
    metrics = Metrics()
    prices = PriceBook(
        database,
        lambda name: _seller(providers, name),
        deployment=settings.model_prices,
        assumed=settings.assumed_model_price,
    )
    ledger, breakers = Ledger(database, prices, metrics), Breakers(database, opened=metrics.breaker_opened)
    limits = Limits(providers.limits, waited=metrics.provider_waited)
    router = ModelRouter(providers, Policies(database), breakers, limits, ledger, telemetry)
    try:
        yield Resources(
            settings=settings,
            database=database,
            embedder=embedder,
            knowledge=Knowledge(settings.data_dir / "lance", remote or embedder, provider_reranker=reranker),
            storage=open_storage(settings.storage_url, settings.data_dir / "objects"),
            providers=providers,
            ledger=ledger,
            router=router,
            telemetry=telemetry,
            metrics=metrics,
        )
    finally:
        for each in (remote, reranker):
            if each is not None:
                await each.close()
        await breakers.close()
        await providers.close()
        await database.close()
        telemetry.close()


def _seller(providers: Providers, name: str) -> Seller:
    if name not in providers:  # known to the process that calls it, perhaps, but not to this one
        return Seller(name)
    config = providers.config(name)
    return Seller(config.kind, config.base_url)


def _remote_embedder(settings: Settings) -> OpenAIEmbedder | None:
    if settings.embedding_base_url is None:
        return None
    return OpenAIEmbedder(
        base_url=settings.embedding_base_url,
        model=settings.embedding_model,
        dimensions=settings.embedding_dimensions,
        api_key=_secret(settings.embedding_api_key),
        shorten=settings.embedding_shorten,
    )


def _remote_reranker(settings: Settings) -> HttpReranker | None:
    if settings.rerank_base_url is None:
        return None
    return HttpReranker(
        base_url=settings.rerank_base_url,
        model=settings.rerank_model,
        api_key=_secret(settings.rerank_api_key),
    )


def _secret(value: SecretStr | None) -> str | None:
    return value.get_secret_value() if value else None
