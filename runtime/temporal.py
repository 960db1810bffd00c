"""The connection to Temporal, the same for every process of the product."""

import asyncio
import time

from temporalio.client import Client
from temporalio.runtime import Runtime
from temporalio.service import GrpcCompression, RPCError

from runtime.converter import data_converter
from runtime.settings import Settings
from runtime.telemetry import Telemetry


async def connect(
    settings: Settings, telemetry: Telemetry, *, runtime: Runtime | None = None, patience_seconds: float = 30
) -> Client:
    """Connect, waiting for a server that is still starting. Raises RuntimeError when it stays away.

    runtime: of a process that serves the SDK's own metrics; None takes the default.
    """
    if settings.temporal_address is None:
        raise RuntimeError("TEMPORAL_ADDRESS is not set; `everturn up` sets it for what it starts")
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            return await Client.connect(
                settings.temporal_address,
                namespace=settings.temporal_namespace,
                data_converter=data_converter,
                interceptors=list(telemetry.interceptors),
                # Our payloads are a few kB: compressing them costs more processor time than it saves wire.
                grpc_compression=GrpcCompression.NONE,
                runtime=runtime,
            )
        except (RPCError, RuntimeError) as error:
            if time.monotonic() > deadline:
                raise RuntimeError(f"Temporal does not answer at {settings.temporal_address}: {error}") from error
            await asyncio.sleep(0.1)
