"""A small HTTP server that answers byte for byte what a test wants. Not a web framework: one answer a connection."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


class WireServer:
    """Gives the answers in turn, the last one again and again; keeps what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.lines: list[str] = []
        self.hung_up = asyncio.Event()
        self.url = ""

    def answer_with(self, *answers: Answer) -> None:
        """From now on; what it was asked before is forgotten."""
        self._answers = list(answers)
        self.requests.clear()
        self.headers.clear()
        self.lines.clear()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line, *rest = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
            headers = {name.lower(): value for name, value in (each.split(": ", 1) for each in rest)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.lines.append(line)
            self.headers.append(headers)
            self.requests.append(json.loads(body) if body else {})
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            await answer(writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.hung_up.set()
            writer.close()


@asynccontextmanager
async def serving(*answers: Answer) -> AsyncIterator[WireServer]:
    handler = WireServer(*answers)
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    handler.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield handler
    finally:
        server.close()


def whole(status: int, body: str | bytes, *, type: str = "application/json", **headers: str) -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        data = body.encode() if isinstance(body, str) else body
        lines = [f"HTTP/1.1 {status} X", f"content-type: {type}", f"content-length: {len(data)}", "connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + data)

    return answer


def streamed(*pieces: bytes, ends: str = "whole") -> Answer:
    """Server-sent events in chunks. ends: whole, cut (no last chunk), reset, stall (no event any more), or open, for
    a caller who goes on writing."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")

        def chunk(piece: bytes) -> None:
            writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")

        for piece in pieces:
            chunk(piece)
            await writer.drain()
            await asyncio.sleep(0)
        if ends == "whole":
            writer.write(b"0\r\n\r\n")
        elif ends == "reset":
            await asyncio.sleep(0.05)
            await reset(writer)
        elif ends == "stall":
            while True:  # comments, as proxies send to keep a connection open; they are no events
                chunk(b": still here\n\n")
                await writer.drain()
                await asyncio.sleep(0.05)

    return answer


def endless(first: bytes, then: bytes) -> Answer:
    """Server-sent events that never end, as fast as they are taken."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n" + first)
        while True:
            writer.write(then)
            await writer.drain()

    return answer


async def reset(writer: asyncio.StreamWriter) -> None:
    """Break the connection as a killed process does."""
    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def never(writer: asyncio.StreamWriter) -> None:
    """Take the request and say nothing."""
    await asyncio.sleep(30)
