"""Puts the API together from the settings and runs it. The root of an API process."""

import uvicorn

from api.app import create_app
from api.resources import ApiResources
from api.temporal import Temporal
from domain.auth.authenticator import Authenticator
from domain.conversations.hub import EventHub
from domain.knowledge.index import Index
from domain.knowledge.removal import Removal
from runtime import logs
from runtime.resources import Resources, open_resources
from runtime.settings import Settings
from runtime.temporal import connect

_GRACE_SECONDS = 3
"""Open streams are cut after this; their readers resume from where they were at the next process."""


async def serve(settings: Settings, host: str, port: int) -> None:
    """Until SIGTERM or SIGINT. Raises OSError when the port is taken, RuntimeError without its servers."""
    logs.configure(settings.log_format, settings.log_level)
    async with open_resources(settings, "everturn-api") as resources:
        temporal = Temporal(await connect(settings, resources.telemetry))
        app = create_app(_api_resources(resources, temporal))
        config = uvicorn.Config(
            app,
            host=host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        await uvicorn.Server(config).serve()


def _api_resources(resources: Resources, temporal: Temporal) -> ApiResources:
    settings = resources.settings
    return ApiResources(
        database=resources.database,
        hub=EventHub(resources.database),
        knowledge=resources.knowledge,
        removal=Removal(Index(settings.data_dir / "lance"), resources.storage),
        storage=resources.storage,
        temporal=temporal,
        metrics=resources.metrics,
        prices=resources.ledger.prices,
        router=resources.router,
        authenticator=Authenticator(resources.database),
        max_body_bytes=settings.max_body_bytes,
        max_upload_bytes=settings.max_upload_bytes,
        require_idempotency_key=settings.require_idempotency_key,
        telemetry=resources.telemetry.fastapi,
    )
