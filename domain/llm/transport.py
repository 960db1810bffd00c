"""Keeps what a provider sends within bounds before an SDK reads it: the SDKs gather lines and bodies without end."""

from collections.abc import AsyncIterator

import httpx2

from domain.errors import ProviderGarbage

MOST_LINE_BYTES = 8_000_000
"""One event is one line. The largest honest one is the whole reply at the end of a Responses stream: 200,000 tokens."""

MOST_ERROR_BYTES = 64_000
"""Of an error's body; its status is what counts."""


def bounded(client: httpx2.AsyncClient) -> httpx2.AsyncClient:
    """The same client, which from now on refuses endless lines (ProviderGarbage) and cuts endless error bodies."""

    async def bound(response: httpx2.Response) -> None:
        if isinstance(response.stream, httpx2.AsyncByteStream):
            response.stream = _Bounded(response.stream, of_error=response.status_code >= 400)

    client.event_hooks = {**client.event_hooks, "response": [*client.event_hooks["response"], bound]}
    return client


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, *, of_error: bool) -> None:
        self._stream = stream
        self._of_error = of_error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        line = 0
        async for data in self._stream:
            newline = -1 if self._of_error else data.rfind(b"\n")
            line = len(data) - newline - 1 if newline >= 0 else line + len(data)
            if self._of_error and line > MOST_ERROR_BYTES:
                return
            if line > MOST_LINE_BYTES:
                raise ProviderGarbage(f"The provider sent a line of more than {MOST_LINE_BYTES} bytes.")
            yield data

    async def aclose(self) -> None:
        await self._stream.aclose()
