"""Gemini's stream of bytes made fit for its SDK, which takes comments for answers and hides what is no UTF-8."""

from codecs import getincrementaldecoder
from collections.abc import AsyncIterator

import httpx2


async def made_plain(response: httpx2.Response) -> None:
    """For the response hooks of a client. Gateways send comments, lines that begin with a colon, to keep a
    connection open; they are left out. Bytes that are no UTF-8 raise UnicodeDecodeError.
    """
    if response.status_code == 200 and isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _Plain(response.stream)


class _Plain(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        begins, comment = True, False
        letters = getincrementaldecoder("utf-8")()
        async for data in self._stream:
            letters.decode(data)
            kept = bytearray()
            for line in data.splitlines(keepends=True):
                comment = line.startswith(b":") if begins else comment
                begins = line.endswith((b"\n", b"\r"))
                if not comment:
                    kept += line
            if kept:
                yield bytes(kept)

    async def aclose(self) -> None:
        await self._stream.aclose()
