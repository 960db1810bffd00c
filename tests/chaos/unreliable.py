"""Providers that fail at random, in their own wire formats, and count what they charge. They go on after a prefix as
a model does: by saying its last word again."""

import asyncio
import itertools
import json
import random
from dataclasses import dataclass, field
from typing import Any

from domain.llm.resume import GO_ON
from tests.models.dialects import Anthropic, Dialect, OpenAIChat, Responses
from tests.wire_server import Answer, reset, streamed, whole

DIALECTS: dict[str, tuple[str, Dialect]] = {
    "openai_compatible": ("/v1", OpenAIChat()),
    "openai_responses": ("/v1", Responses()),
    "anthropic": ("", Anthropic()),
}
_COUNTS = {
    "openai_compatible": (b'"prompt_tokens": 12', b'"completion_tokens": 3'),
    "openai_responses": (b'"input_tokens": 12', b'"output_tokens": 3'),
    "anthropic": (b'"input_tokens": 4', b'"output_tokens": 3'),
}
_SERIAL = itertools.count(1)


@dataclass
class Unreliable:
    """One provider. faults: how likely a request fails. charged: (input, output) of each whole reply, all different."""

    kind: str
    words: list[str]
    faults: float
    chance: random.Random
    pause_seconds: float = 0.01
    asked: int = 0
    failed: int = 0
    charged: list[tuple[int, int]] = field(default_factory=list)
    url: str = ""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(head.partition("content-length: ")[2].partition("\r\n")[0] or 0)
                body = json.loads(await reader.readexactly(length))
                self.asked += 1
                if self.chance.random() < self.faults:
                    self.failed += 1
                    await self._fault(writer, body)
                    return
                await self._reply(writer, body)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _fault(self, writer: asyncio.StreamWriter, body: dict[str, Any]) -> None:
        dialect = DIALECTS[self.kind][1]
        begun = [dialect.start, *dialect.text(*self._left(body)[: self.chance.randrange(1, len(self.words))])]
        faults: list[Answer] = [
            whole(500, "{}"),
            whole(529, "{}"),
            whole(429, dialect.error_body("rate_limit_error"), retry_after="1"),
            whole(429, dialect.error_body("rate_limit_error")),
            whole(401, dialect.error_body("authentication_error")),
            whole(400, dialect.error_body("invalid_request_error")),
            whole(200, "<html>no</html>", type="text/html"),
            reset,
            streamed(dialect.start, ends="reset"),
            streamed(*begun, ends="reset"),
            streamed(*begun, ends="cut"),
            streamed(*begun, dialect.error_event("overloaded_error")),
            streamed(*begun, b"data: {broken\n\n"),
        ]
        await self.chance.choice(faults)(writer)
        await writer.drain()

    async def _reply(self, writer: asyncio.StreamWriter, body: dict[str, Any]) -> None:
        """Charged once the end was written to somebody who is still there."""
        _, dialect = DIALECTS[self.kind]
        counts = (5000 + next(_SERIAL), 9000 + next(_SERIAL))
        cached = 8 if self.kind == "anthropic" else 0
        of_input, of_output = _COUNTS[self.kind]
        start = dialect.start.replace(of_input, of_input.rpartition(b" ")[0] + b" %d" % (counts[0] - cached))
        end = dialect.end().replace(of_input, of_input.rpartition(b" ")[0] + b" %d" % (counts[0] - cached))
        end = end.replace(of_output, of_output.rpartition(b" ")[0] + b" %d" % counts[1])
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        for piece in (start, *dialect.text(*self._left(body)), end):
            writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            await writer.drain()
            await asyncio.sleep(self.pause_seconds)
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        self.charged.append(counts)

    def _left(self, body: dict[str, Any]) -> list[str]:
        """The words still to say, the last shown one first when there is one. Each has its space before it."""
        messages = body.get("messages") or body.get("input") or []
        said = len(_text(messages[-2]).split()) if _text(messages[-1]).startswith(GO_ON[:20]) else 0
        return [word if place == max(0, said - 1) else f" {word}" for place, word in enumerate(self.words)][
            max(0, said - 1) :
        ]


def _text(message: dict[str, Any]) -> str:
    content = message["content"]
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
