"""The cheapest server that keeps the contract: what is measured against it is the cost of the client itself."""

import asyncio
import json

from peer import DONE, arguments, fake_model, sse

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    writer.write(_HEAD)
    if head.startswith(b"POST"):
        length = int(next(line for line in head.split(b"\r\n") if line.startswith(b"Content-Length:"))[15:])
        async for token in fake_model(json.loads(await reader.readexactly(length))["text"]):
            writer.write(sse(token).encode())
        writer.write(DONE.encode())
    writer.close()


async def main(port: int) -> None:
    async with await asyncio.start_server(answer, "127.0.0.1", port, backlog=512) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(arguments().port))
