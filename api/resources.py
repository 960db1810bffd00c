"""What the API is given by its root. Nothing here reads a setting or opens a connection."""

from dataclasses import dataclass, field

from fastapi.telemetry import TelemetryConfig

from api.temporal import Temporal
from db.engine import Database
from domain.auth.authenticator import Authenticator
from domain.conversations.hub import EventHub
from domain.knowledge.removal import Removal
from domain.knowledge.search import Knowledge
from domain.knowledge.storage import Storage
from domain.models.price_book import PriceBook
from domain.models.router import ModelRouter
from runtime.metrics import Metrics


@dataclass(frozen=True, slots=True)
class ApiResources:
    """database is open; the app opens and closes the hub. Sizes are in bytes.

    telemetry: `Telemetry.fastapi`; None turns FastAPI's own spans off.
    """

    database: Database
    hub: EventHub
    knowledge: Knowledge
    removal: Removal
    storage: Storage
    temporal: Temporal
    metrics: Metrics
    prices: PriceBook
    router: ModelRouter
    authenticator: Authenticator
    max_body_bytes: int = 1_000_000
    max_upload_bytes: int = 50_000_000
    require_idempotency_key: bool = False
    telemetry: TelemetryConfig = field(
        default_factory=lambda: TelemetryConfig(tracing=False, metrics=False, logs=False, auto_configure=False)
    )
