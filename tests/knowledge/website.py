"""A real website on loopback: pages, redirects, robots.txt, sitemaps and traps, and a count of what was asked."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Reply = tuple[int, dict[str, str], bytes]


@dataclass
class Site:
    """pages: by path with query; a function makes pages without end. slow: seconds before a path answers."""

    url: str = ""
    pages: dict[str, Reply] = field(default_factory=dict)
    endless: Callable[[str], Reply | None] = lambda _path: None
    slow: dict[str, float] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    at_once: int = 0
    most_at_once: int = 0
    times: list[float] = field(default_factory=list)
    """When each request came, on the monotonic clock."""

    def html(self, path: str, text: str, *links: str, head: str = "", **headers: str) -> None:
        anchors = "".join(f'<a href="{link}">x</a>' for link in links)
        body = (
            f"<!doctype html><html><head><title>{path}</title>{head}</head><body><p>{text}</p>{anchors}</body></html>"
        )
        self.pages[path] = (200, {"Content-Type": "text/html; charset=utf-8", **headers}, body.encode())

    def file(self, path: str, data: bytes, media_type: str = "text/plain", status: int = 200, **headers: str) -> None:
        self.pages[path] = (status, {"Content-Type": media_type, **headers}, data)

    def redirect(self, path: str, to: str) -> None:
        self.pages[path] = (302, {"Location": to}, b"")

    def count(self, path: str) -> int:
        return self.asked[path]

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = (await reader.readuntil(b"\r\n\r\n")).decode()
            path = request.split(" ")[1]
            headers = dict(line.split(": ", 1) for line in request.split("\r\n")[1:] if ": " in line)
            self.asked[path] += 1
            self.times.append(time.monotonic())
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            await asyncio.sleep(self.slow.get(path, 0))
            status, said, body = self.pages.get(path) or self.endless(path) or (404, {}, b"nothing here")
            tag = said.get("ETag")
            if tag and headers.get("If-None-Match") == tag:
                status, body = 304, b""
            said = {**said, "Content-Length": str(len(body)), "Connection": "close"}
            head = f"HTTP/1.1 {status} X\r\n" + "".join(f"{name}: {value}\r\n" for name, value in said.items())
            writer.write(head.encode() + b"\r\n" + body)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # a visitor that hung up
        finally:
            self.at_once -= 1
            writer.close()


@asynccontextmanager
async def website() -> AsyncIterator[Site]:
    site = Site()
    server = await asyncio.start_server(site.answer, "127.0.0.1", 0)
    site.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield site
    finally:
        server.close()
        await server.wait_closed()
