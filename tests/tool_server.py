"""A tool server that counts what it did: well behaved, or acting and then hanging up."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass
class ToolServer:
    url: str = ""
    acted: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    """Idempotency keys in the order in which they came."""
    honour_keys: bool = False
    """True: a key seen before gets the answer without a second act, as an idempotent tool would."""
    says: dict[str, Any] = field(default_factory=lambda: {"ok": True})

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        path = head.split(" ", 2)[1]
        headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        key = headers.get("idempotency-key", "")
        if not (self.honour_keys and key in self.keys):
            self.acted.append(json.loads(body or b"{}"))
        self.keys.append(key)
        if path == "/act-then-reset":
            writer.transport.abort()
            return
        if path == "/slow":
            await asyncio.sleep(0.5)
        answer = json.dumps(self.says).encode()
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n"
            + f"content-length: {len(answer)}\r\n\r\n".encode()
            + answer
        )
        await writer.drain()
        writer.close()


@asynccontextmanager
async def tool_server() -> AsyncIterator[ToolServer]:
    state = ToolServer()
    server = await asyncio.start_server(state.serve, "127.0.0.1", 0)
    state.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield state
