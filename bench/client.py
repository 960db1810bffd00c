"""The load client: turns as a reader sees them, over its own small HTTP/1.1 so that it costs next to nothing."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from bench import stamp

Texts = Callable[[bytes], str]
Ends = Callable[[bytes], bool]
Remembers = Callable[[bytes], dict[str, str]]


def nothing(_data: bytes) -> dict[str, str]:
    return {}


@dataclass(frozen=True)
class Wire:
    """How one peer speaks: which part of an event is text of the reply, and which event is the last."""

    texts: Texts
    ends: Ends
    remembers: Remembers = nothing
    """What a reader must keep of an event in order to resume after it."""


@dataclass(frozen=True)
class Exchange:
    """A request ready to be sent, and how to understand its answer."""

    head: bytes
    body: bytes
    wire: Wire

    @classmethod
    def of(
        cls, method: str, path: str, wire: Wire, *, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> "Exchange":
        fields = {"Host": "127.0.0.1", "Accept": "text/event-stream", "Content-Length": str(len(body))} | (
            headers or {}
        )
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        return cls("\r\n".join(lines).encode() + b"\r\n\r\n", body, wire)


@dataclass
class Heard:
    """What one reader heard. Times are nanoseconds of CLOCK_MONOTONIC."""

    sent_at: int = 0
    tokens: list[tuple[int, int, int]] = field(default_factory=list)
    """(index, said at, heard at), in the order of arrival."""
    ended_at: int = 0
    status: int = 0
    fault: str = ""
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return self.ended_at > 0 and not self.fault

    def turn_ms(self) -> float:
        return (self.ended_at - self.sent_at) / 1e6

    def first_token_ms(self) -> float:
        return (self.tokens[0][2] - self.sent_at) / 1e6

    def lags_ms(self) -> list[float]:
        return [(heard - said) / 1e6 for _, said, heard in self.tokens]


class _Reader(asyncio.Protocol):
    """One request, one streamed answer. Understands chunked bodies and server-sent events."""

    def __init__(self, exchange: Exchange, heard: Heard, done: asyncio.Future[None]) -> None:
        self._exchange = exchange
        self._heard = heard
        self._done = done
        self._raw = b""
        self._last_chunk = False
        self._chunked: bool | None = None
        self._lines = b""
        self._text = ""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not an isinstance check: uvloop's transports are no subclasses of asyncio's.
        self._transport = transport = cast("asyncio.Transport", transport)
        self._heard.sent_at = time.monotonic_ns()
        transport.write(self._exchange.head + self._exchange.body)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic_ns()
        self._raw += data
        if self._chunked is None and not self._read_head():
            return
        body = self._dechunk() if self._chunked else self._take()
        if body:
            self._read_lines(body, now)
        if self._last_chunk and not self._heard.ended_at:
            self._finish("the stream ended early")

    def _read_head(self) -> bool:
        head, end, rest = self._raw.partition(b"\r\n\r\n")
        if not end:
            return False
        self._heard.status = int(head.split(b" ", 2)[1])
        self._chunked = b"transfer-encoding: chunked" in head.lower()
        self._raw = rest
        return True

    def _take(self) -> bytes:
        body, self._raw = self._raw, b""
        return body

    def _dechunk(self) -> bytes:
        parts = []
        while True:
            size, end, rest = self._raw.partition(b"\r\n")
            if not end:
                break
            length = int(size, 16)
            if len(rest) < length + 2:
                break
            parts.append(rest[:length])
            self._raw = rest[length + 2 :]
            if length == 0:
                self._last_chunk = True
                break
        return b"".join(parts)

    def _read_lines(self, body: bytes, now: int) -> None:
        heard, wire = self._heard, self._exchange.wire
        if heard.status != 200:
            heard.extra["body"] = heard.extra.get("body", "") + body.decode(errors="replace")
            self._finish(f"status {heard.status}: {heard.extra['body'][:300]}")
            return
        *lines, self._lines = (self._lines + body).split(b"\n")
        for line in lines:
            if not line.startswith(b"data:"):
                if line.startswith(b"id:"):
                    heard.extra["id"] = line[3:].strip().decode()
                continue
            data = line[5:].strip()
            heard.extra.update(wire.remembers(data))
            text = wire.texts(data)
            if text:
                self._hear(text, now)
            if wire.ends(data):
                heard.ended_at = now
                self._finish(heard.extra.get("failed", ""))
                return

    def _hear(self, text: str, now: int) -> None:
        """A token may arrive in two pieces; it counts when it is whole."""
        self._text += text
        end = 0
        for match in stamp.TOKEN.finditer(self._text):
            index, said_at = stamp.read(match.group())
            self._heard.tokens.append((index, said_at, now))
            end = match.end()
        self._text = self._text[end:].lstrip()

    def _finish(self, fault: str) -> None:
        self._heard.fault = self._heard.fault or fault
        if self._transport is not None:
            self._transport.close()
        if not self._done.done():
            self._done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._heard.ended_at:
            self._heard.fault = self._heard.fault or f"connection lost: {exc or 'closed'}"
        if not self._done.done():
            self._done.set_result(None)


async def listen(port: int, exchange: Exchange, heard: Heard | None = None, *, timeout_seconds: float = 120) -> Heard:
    """Send one request and listen to its end, or to a fault. Never raises for what the server does."""
    heard = heard if heard is not None else Heard()
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    try:
        transport, _ = await loop.create_connection(lambda: _Reader(exchange, heard, done), "127.0.0.1", port)
    except OSError as error:
        heard.fault = f"cannot connect: {error}"
        return heard
    try:
        await asyncio.wait_for(done, timeout_seconds)
    except TimeoutError:
        heard.fault = f"no end after {timeout_seconds:.0f} s"
    finally:
        transport.close()
    return heard


def contract_text(data: bytes) -> str:
    """The peers' own format: `{"t": "<token>"}`."""
    return str(json.loads(data).get("t", "")) if data.startswith(b'{"t"') else ""


def contract_ends(data: bytes) -> bool:
    return data == b'{"done": true}'


CONTRACT = Wire(contract_text, contract_ends)
