"""A model server that answers at once in OpenAI's format: what is left is the time of whoever asks. Prints its port."""

import asyncio
import json
from typing import Any

_TEXT = ("The", " answer", " is", " in", " the", " third", " section", ".")


def _event(fields: dict[str, Any]) -> bytes:
    known = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return b"data: " + json.dumps({**known, **fields}).encode() + b"\n\n"


def _choice(delta: dict[str, str], finish: str | None = None) -> bytes:
    return _event({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


_USAGE = {"prompt_tokens": 20, "completion_tokens": 8, "total_tokens": 28}
_BODY = b"".join(
    [
        _choice({"role": "assistant", "content": ""}),
        *(_choice({"content": word}) for word in _TEXT),
        _choice({}, "stop"),
        _event({"choices": [], "usage": _USAGE}),
        b"data: [DONE]\n\n",
    ]
)
_ANSWER = (b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n" % len(_BODY)) + _BODY


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
            writer.write(_ANSWER)
            await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError):
        writer.close()


async def _main() -> None:
    server = await asyncio.start_server(_serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main())
