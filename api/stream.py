"""A streaming response that costs one write a chunk, says it lives when it is silent, and notices who leaves.

Its first chunk is made before the status goes out, so what fails until then is an ordinary problem.
"""

import asyncio
import time
from collections.abc import AsyncGenerator

import anyio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

KEEP_ALIVE_SECONDS = 15.0
"""Proxies close what is silent for 60 s (nginx) or 30 s (some mobile carriers)."""

_COMMENT = b": keep-alive\n\n"


class Stream(Response):
    """Server-sent events from a generator; it is closed when the client leaves, also while it waits."""

    media_type = "text/event-stream"

    def __init__(
        self,
        chunks: AsyncGenerator[bytes, None],
        headers: dict[str, str] | None = None,
        *,
        keep_alive_seconds: float = KEEP_ALIVE_SECONDS,
    ) -> None:
        # X-Accel-Buffering: nginx would hold the text back until its buffer is full.
        super().__init__(None, 200, {"Cache-Control": "no-store", "X-Accel-Buffering": "no", **(headers or {})})
        del self.headers["content-length"]
        self._chunks = chunks
        self._keep_alive_seconds = keep_alive_seconds
        self._last_write = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            first = await anext(self._chunks)
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await self._write(send, first)
            async with anyio.create_task_group() as group:
                group.start_soon(self._leave_with_client, receive, group.cancel_scope)
                group.start_soon(self._keep_alive, send)
                async for chunk in self._chunks:
                    await self._write(send, chunk)
                group.cancel_scope.cancel()
        finally:
            await self._chunks.aclose()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _write(self, send: Send, chunk: bytes) -> None:
        self._last_write = time.monotonic()
        await send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def _leave_with_client(self, receive: Receive, scope: anyio.CancelScope) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        scope.cancel()

    async def _keep_alive(self, send: Send) -> None:
        while True:
            silent = time.monotonic() - self._last_write
            if silent >= self._keep_alive_seconds:
                await self._write(send, _COMMENT)
            else:
                await asyncio.sleep(self._keep_alive_seconds - silent)
