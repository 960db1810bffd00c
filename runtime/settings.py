"""Every setting of the product, read once from the environment. Nothing else reads it."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from domain.llm.provider_config import ProviderConfig, ProviderName
from domain.models.rates import DatedRates, Rates


class Settings(BaseSettings):
    """Names are environment variables, upper case; those of the house begin with EVERTURN_."""

    model_config = SettingsConfigDict(env_prefix="EVERTURN_", extra="ignore", frozen=True, populate_by_name=True)

    database_url: Annotated[str | None, Field(validation_alias=AliasChoices("DATABASE_URL", "database_url"))] = None
    """Postgres as postgresql://user:password@host:port/name. Unset: `everturn up` runs its own."""

    database_role: Annotated[str, Field(validation_alias=AliasChoices("DATABASE_ROLE", "database_role"))] = (
        "everturn_app"
    )
    """Role taken by every connection. Empty when the URL already names a restricted role."""

    database_connections: Annotated[int, Field(ge=2, le=200)] = 10
    """Connections of each of a process's two pools."""

    temporal_address: Annotated[
        str | None, Field(validation_alias=AliasChoices("TEMPORAL_ADDRESS", "temporal_address"))
    ] = None
    """Temporal frontend as host:port. Unset: `everturn up` runs the dev server."""

    temporal_namespace: Annotated[
        str, Field(validation_alias=AliasChoices("TEMPORAL_NAMESPACE", "temporal_namespace"))
    ] = "default"

    temporal_deployment_name: Annotated[
        str | None, Field(validation_alias=AliasChoices("TEMPORAL_DEPLOYMENT_NAME", "temporal_deployment_name"))
    ] = None
    """Turns on Worker Versioning, together with the build id."""

    temporal_worker_build_id: Annotated[
        str | None, Field(validation_alias=AliasChoices("TEMPORAL_WORKER_BUILD_ID", "temporal_worker_build_id"))
    ] = None

    data_dir: Path = Path("data")
    """Where the embedded stack, object storage, the vector store and converted model files live."""

    storage_url: Annotated[str | None, Field(pattern=r"^s3://[^/]+")] = None
    """Object storage as s3://bucket/prefix; endpoint, region and credentials by the usual AWS_ variables.
    Unset: a folder below the data folder."""

    postgres_port: Annotated[int | None, Field(ge=1, le=65535)] = None
    """Port of the embedded Postgres. Unset: 5433, or a free one when that is taken."""

    temporal_port: Annotated[int | None, Field(ge=1, le=65535)] = None
    """Port of the embedded Temporal. Unset: 7233, or a free one when that is taken."""

    temporal_ui_port: Annotated[int | None, Field(ge=1, le=65535)] = None
    """Port of the embedded Temporal's web UI. Unset: 8233, or a free one when that is taken."""

    http_host: str = "127.0.0.1"
    http_port: Annotated[int, Field(ge=0, le=65535)] = 8080

    worker_queues: Annotated[str, Field(pattern=r"^[a-z]+(,[a-z]+)*$")] = "turns,ingest"
    """Comma-separated task queues a worker process serves."""

    worker_metrics_port: Annotated[int, Field(ge=0, le=65535)] = 0
    """Where a worker serves /metrics; 0 picks none."""

    openai_api_key: Annotated[
        SecretStr | None, Field(validation_alias=AliasChoices("OPENAI_API_KEY", "openai_api_key"))
    ] = None
    openai_base_url: Annotated[
        str | None, Field(validation_alias=AliasChoices("OPENAI_BASE_URL", "openai_base_url"))
    ] = None
    """Any server that speaks Chat Completions: vLLM, Ollama, llama.cpp and their like."""
    openai_model: str = "gpt-4o-mini"

    anthropic_api_key: Annotated[
        SecretStr | None, Field(validation_alias=AliasChoices("ANTHROPIC_API_KEY", "anthropic_api_key"))
    ] = None
    anthropic_base_url: Annotated[
        str | None, Field(validation_alias=AliasChoices("ANTHROPIC_BASE_URL", "anthropic_base_url"))
    ] = None
    anthropic_model: str = "claude-sonnet-5-5"

    gemini_api_key: Annotated[
        SecretStr | None, Field(validation_alias=AliasChoices("GEMINI_API_KEY", "gemini_api_key"))
    ] = None
    deepseek_api_key: Annotated[
        SecretStr | None, Field(validation_alias=AliasChoices("DEEPSEEK_API_KEY", "deepseek_api_key"))
    ] = None
    perplexity_api_key: Annotated[
        SecretStr | None, Field(validation_alias=AliasChoices("PERPLEXITY_API_KEY", "perplexity_api_key"))
    ] = None

    providers: dict[ProviderName, ProviderConfig] = Field(default_factory=dict)
    """Model providers by names of your own, as JSON: `{"near": {"kind": "openai_compatible", "base_url": …}}`."""

    model_prices: list[DatedRates] = Field(default_factory=list)
    """Prices that the packaged table has not, or has otherwise, as JSON: `[{"provider": …, "model": …, "input": 0.2,
    "output": 0.8}]` in US dollars for a million tokens."""

    assumed_model_price: Rates | None = None
    """What a model without a known price is taken to cost, as JSON: `{"input": 3, "output": 15}`. Unset: its calls
    count as 0 and are marked as of unknown price."""

    default_provider: ProviderName | None = None
    """Name of the provider for agents that name none. Unset: the first whose key is present, then the first of
    EVERTURN_PROVIDERS, then sentences of the documents."""

    embedding_base_url: str | None = None
    """Any server with OpenAI's `/embeddings`, version included. Unset: the model that comes with Everturn."""
    embedding_api_key: SecretStr | None = None
    embedding_model: str = "text-embedding-3-small"
    embedding_dimensions: Annotated[int, Field(ge=8, le=8192)] = 1536
    """What the embedding server's vectors have. A collection keeps to one number: another refuses it."""
    embedding_shorten: bool = False
    """Ask the embedding server to cut its vectors to EVERTURN_EMBEDDING_DIMENSIONS."""

    rerank_base_url: str | None = None
    """Any server with Cohere's and Jina's `/rerank`, version included, for agents whose `rerank` is `provider`."""
    rerank_api_key: SecretStr | None = None
    rerank_model: str = "rerank-v3.5"

    provider_first_token_seconds: Annotated[float, Field(gt=0)] = 60
    """A provider that has said nothing for this long has failed."""

    provider_idle_seconds: Annotated[float, Field(gt=0)] = 30
    """A stream that stalls for this long has broken."""

    provider_reply_seconds: Annotated[float, Field(gt=0, lt=600)] = 540
    """A reply that is not whole after this long has failed; below ten minutes, when the step that waits ends."""

    url: str | None = None
    """Where the command line finds the API. Unset: the stack running over the data folder."""

    api_key: SecretStr | None = None
    """Key the command line shows to the API. Unset: the data folder's demo key."""

    allow_private_tool_targets: bool = False
    """Let HTTP tools call private, loopback and link-local addresses. Only for a network of your own."""

    allow_private_sources: bool = False
    """Let sources fetch from private, loopback and link-local addresses. Only for a network of your own."""

    source_databases: dict[str, SecretStr] = Field(default_factory=dict)
    """Postgres databases that sources may read, as JSON: `{"<organisation id>/<name>": "postgresql://…"}`;
    `*/<name>` is open to every organisation."""

    require_idempotency_key: bool = False
    """Refuse mutations without an Idempotency-Key instead of making one."""

    max_upload_bytes: Annotated[int, Field(gt=0)] = 50_000_000
    max_body_bytes: Annotated[int, Field(gt=0)] = 1_000_000
    """Largest request body other than an upload."""

    log_format: Literal["json", "console"] = "console"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    otlp_endpoint: Annotated[
        str | None, Field(validation_alias=AliasChoices("OTEL_EXPORTER_OTLP_ENDPOINT", "otlp_endpoint"))
    ] = None
    """OpenTelemetry collector (OTLP over HTTP). Unset: no traces are made."""


def child_environment(**changes: str) -> dict[str, str]:
    """This process's environment for a child, with some variables set. Nothing is changed here."""
    return {**os.environ, **changes}
