"""What a provider can do wrong, by name: an answer in a dialect's own words, and how patient its reader is.

What becomes of it stands in the table of docs/providers.md, which is read here.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from domain.llm.wire import Patience
from tests.models.dialects import Dialect
from tests.wire_server import Answer, endless, never, reset, streamed, whole

PATIENT = Patience(first_token_seconds=5, idle_seconds=5, reply_seconds=10)
HURRIED = Patience(first_token_seconds=0.15, idle_seconds=0.15, reply_seconds=10)
COUNTING = replace(PATIENT, idle_seconds=0.5, most_events=300)
BRIEF = replace(PATIENT, reply_seconds=0.3)
MOST_CHARS = 1024 * 20 + 2000
"""Of a reply that was asked for at most 1024 tokens."""
ARGUMENTS = ('{"id": ', '"42"}')


@dataclass(frozen=True, slots=True)
class Fault:
    """said: text that a reader has seen when it is over. tools: the request offers the tool `look_up`."""

    answer: Callable[[Dialect], Answer]
    said: str = ""
    patience: Patience = PATIENT
    tools: bool = False


def _status(status: int, type: str = "x", **headers: str) -> Fault:
    return Fault(lambda d: whole(status, d.error_body(type), **headers))


def _page(status: int) -> Fault:
    return Fault(lambda _: whole(status, "<html>Bad gateway</html>", type="text/html"))


def _half(d: Dialect) -> list[bytes]:
    return [d.start, *d.text("Half", " a")]


def _calls(*fragments: str, reason: str = "tools") -> Fault:
    return Fault(lambda d: streamed(d.start, d.tool(0, "a", "look_up", *fragments), d.end(reason)), tools=True)


def _twice(other: str) -> Callable[[Dialect], Answer]:
    """The id of the first call again, with other arguments."""
    return lambda d: streamed(
        d.start, d.tool(0, "a", "look_up", *ARGUMENTS), d.tool(1, "a", "look_up", other), d.end("tools")
    )


def _in_pieces(d: Dialect) -> Answer:
    data = b"".join(d.text("Zoë 日本")).replace(rb"\u00eb", "ë".encode()).replace(rb"\u65e5\u672c", "日本".encode())
    return streamed(*(bytes([byte]) for byte in d.start + data + d.end()))


def _half_line(d: Dialect) -> Answer:
    return streamed(d.start, *d.text("Half", " a"), d.text(" line")[0][:-15])


def _not_unicode(d: Dialect) -> Answer:
    return streamed(d.start, d.text("Half")[0].replace(b"Half", b"\xc3\x28"), d.end())


def _without_done(d: Dialect) -> bytes:
    return d.end().replace(b"data: [DONE]\n\n", b"")


async def _hang_up(_: object) -> None:
    """Take the request and close."""


async def _error_without_end(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 503 X\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n")
    while True:
        writer.write(b"x" * 10_000)
        await writer.drain()


def _dripping(d: Dialect) -> Answer:
    """Events that say nothing, one after the other, none of them late."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        await streamed(*_half(d), ends="open")(writer)
        while True:
            writer.write(f"{len(d.nothing):x}\r\n".encode() + d.nothing + b"\r\n")
            await writer.drain()
            await asyncio.sleep(0.02)

    return answer


PAGE = (Path(__file__).parents[2] / "docs" / "providers.md").read_text()

FAULTS: dict[str, Fault] = {
    "400": _status(400, "invalid_request_error"),
    "400, too long a prompt": _status(400, "context_length_exceeded"),
    "400, content filter": _status(400, "content_filter"),
    "401": _status(401, "authentication_error"),
    "402": _status(402),
    "403": _status(403, "permission_error"),
    "404": _status(404, "not_found_error"),
    "408": _status(408),
    "409": _status(409),
    "413": _status(413, "request_too_large"),
    "422": _status(422),
    "429": _status(429, "rate_limit_error"),
    "429 with Retry-After": _status(429, "rate_limit_error", retry_after="7"),
    "429, account empty": _status(429, "insufficient_quota"),
    "500": _status(500, "server_error"),
    "502 with a web page": _page(502),
    "503 with Retry-After": _status(503, "x", retry_after="7"),
    "503 with a body without end": Fault(lambda _: _error_without_end),
    "504": _page(504),
    "529": _status(529, "overloaded_error"),
    "closed without an answer": Fault(lambda _: _hang_up),
    "reset before the stream": Fault(lambda _: reset),
    "reset in the stream": Fault(lambda d: streamed(*_half(d), ends="reset"), "Half a"),
    "cut off in the stream": Fault(lambda d: streamed(*_half(d), ends="cut"), "Half a"),
    "reset after the end": Fault(lambda d: streamed(*_half(d), _without_done(d), ends="reset"), "Half a"),
    "no answer": Fault(lambda _: never, patience=HURRIED),
    "stalls before the first word": Fault(lambda d: streamed(d.start, ends="stall"), patience=HURRIED),
    "stalls in the stream": Fault(lambda d: streamed(*_half(d), ends="stall"), "Half a", HURRIED),
    "stalls after a thought": Fault(lambda d: streamed(d.start, d.thought("Hm."), ends="stall"), patience=HURRIED),
    "stalls after the end": Fault(lambda d: streamed(*_half(d), _without_done(d), ends="stall"), "Half a", HURRIED),
    "error event, overloaded": Fault(lambda d: streamed(*_half(d), d.error_event("overloaded_error")), "Half a"),
    "error event, rate": Fault(lambda d: streamed(d.start, d.error_event("rate_limit_exceeded"))),
    "error event, bad request": Fault(lambda d: streamed(d.start, d.error_event("invalid_request_error"))),
    "error event of an unknown type": Fault(lambda d: streamed(d.start, d.error_event("strange"))),
    "characters split by the network": Fault(_in_pieces, "Zoë 日本"),
    "bytes that are not UTF-8": Fault(_not_unicode),
    "half a line at the end": Fault(_half_line, "Half a"),
    "ends without a reason": Fault(lambda d: streamed(*_half(d)), "Half a"),
    "wrong JSON": Fault(lambda _: streamed(b"event: x\ndata: {broken\n\n")),
    "JSON of another shape": Fault(lambda _: streamed(b"event: x\ndata: [1, 2]\n\n")),
    "nesting without end": Fault(lambda _: streamed(b"event: x\ndata: " + b"[" * 200_000 + b"\n\n")),
    "a web page for a stream": Fault(lambda _: streamed(b"<html>Welcome</html>")),
    "a whole body for a stream": Fault(lambda _: whole(200, '{"choices": [], "content": [], "output": []}')),
    "empty choices": Fault(lambda d: streamed(d.start, d.nothing, d.nothing, d.end())),
    "filter takes everything": Fault(lambda d: streamed(d.start, d.end("filter"))),
    "thinks, then answers": Fault(lambda d: streamed(d.start, d.thought("Hm."), *d.text("Yes."), d.end()), "Yes."),
    "text without end": Fault(
        lambda d: endless(b"".join(_half(d)), d.text(" a" * 50)[0]), "Half a" + " a" * ((MOST_CHARS - 6) // 2)
    ),
    "events without end": Fault(lambda d: endless(b"".join(_half(d)), d.nothing), "Half a", COUNTING),
    "slow events without end": Fault(_dripping, "Half a", BRIEF),
    "a line without end": Fault(lambda d: endless(d.start + b"data: ", b"x" * 1_000_000)),
    "tool call": _calls(*ARGUMENTS),
    "tool ids twice": Fault(_twice('{"id": "43"}'), tools=True),
    "the same tool call twice": Fault(_twice('{"id": "42"}'), tools=True),
    "tool JSON that can be mended": _calls('{"id": ', "'42',}"),
    "tool JSON that cannot": _calls('{"id": ', "}"),
    "tool JSON cut off": _calls('{"id": "4', reason="length"),
    "tool JSON without end": Fault(
        lambda d: endless(d.start, d.tool(0, "a", "look_up", "x" * 50_000)), tools=True
    ),
}  # fmt: skip


def documented() -> dict[tuple[str, str], str]:
    """(fault, provider) to outcome. A dash stands for what cannot happen there."""
    lines = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| ")]
    start = next(number for number, line in enumerate(lines) if line[0] == "fault")
    names = lines[start][1:]
    table = {}
    for fault, *cells in lines[start + 1 :]:
        if len(cells) != len(names):
            break
        table |= {(fault, name): cell for name, cell in zip(names, cells, strict=True)}
    return table


TABLE = documented()
