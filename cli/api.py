"""`everturn api`: serve the HTTP API until told to stop."""

from typing import Annotated

import typer
import uvloop

from cli.faults import need_servers
from runtime.settings import Settings


def api(
    host: Annotated[str | None, typer.Option(help="Address to listen on; default EVERTURN_HTTP_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; default EVERTURN_HTTP_PORT.")] = None,
) -> None:
    """Serve the HTTP API over DATABASE_URL and TEMPORAL_ADDRESS. SIGTERM ends it; readers resume elsewhere."""
    settings = Settings()
    need_servers(settings)
    from cli.api_server import serve  # noqa: PLC0415  two seconds of imports that no other verb needs

    uvloop.run(serve(settings, host or settings.http_host, settings.http_port if port is None else port))
