"""Fetches one address of the internet, with limits. Not for following links: see `website.py`.

Every hop of a redirect is resolved and checked anew, and the address that was checked is the one called.
"""

import asyncio
import zlib
from dataclasses import dataclass
from urllib.parse import urljoin

import httpx2

from domain.errors import SourceRefused, SourceUnreachable
from domain.sources.address import canonical
from domain.tools.egress import EgressRefused, resolve

USER_AGENT = "EverturnBot"
"""The name that robots.txt may speak to."""

_CONNECT_SECONDS = 5.0
_HOPS = 5
"""Browsers follow 20; a page that needs more than two is a loop or a login."""

_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class Answer:
    """location: where a redirect leads, absolute. body is decoded and complete."""

    url: str
    status: int
    media_type: str
    body: bytes
    etag: str | None = None
    last_modified: str | None = None
    location: str | None = None
    robots_tag: str = ""


class Fetcher:
    """Never uses a proxy of the environment, never keeps cookies."""

    def __init__(self, *, allow_private: bool = False, max_bytes: int = 50_000_000, seconds: float = 30) -> None:
        """max_bytes and seconds hold for one request with its whole body."""
        self._allow_private = allow_private
        self.max_bytes = max_bytes
        self._seconds = seconds
        self._client = httpx2.AsyncClient(
            follow_redirects=False,
            trust_env=False,
            # One address may serve several hosts, each with its own certificate.
            limits=httpx2.Limits(max_keepalive_connections=0),
        )

    async def close(self) -> None:
        """Idempotent."""
        await self._client.aclose()

    async def get(self, url: str, *, etag: str | None = None, last_modified: str | None = None) -> Answer:
        """The answer at the end of all redirects. Raises SourceUnreachable, SourceRefused."""
        for _ in range(_HOPS):
            answer = await self.once(url, etag=etag, last_modified=last_modified)
            if answer.location is None:
                return answer
            url = answer.location
        raise SourceRefused(f"more than {_HOPS} redirects, the last to {url}")

    async def once(
        self, url: str, *, etag: str | None = None, last_modified: str | None = None, max_bytes: int | None = None
    ) -> Answer:
        """Without following a redirect. Raises SourceUnreachable, SourceRefused."""
        try:
            async with asyncio.timeout(self._seconds):
                request = await self._request(url, etag, last_modified)
                return await self._exchange(url, request, max_bytes or self.max_bytes)
        except EgressRefused as refused:
            raise SourceRefused(str(refused)) from None
        except TimeoutError:
            raise SourceUnreachable(f"{url} took longer than {self._seconds:g} seconds") from None
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, httpx2.LocalProtocolError, ValueError) as error:
            raise SourceRefused(f"{url} cannot be asked for ({type(error).__name__})") from None
        except (httpx2.TransportError, OSError) as error:
            raise SourceUnreachable(f"{url} could not be fetched ({type(error).__name__})") from None

    async def _request(self, url: str, etag: str | None, last_modified: str | None) -> httpx2.Request:
        target = httpx2.URL(url)
        port = target.port or (443 if target.scheme == "https" else 80)
        address = await resolve(target.host, port, allow_private=self._allow_private)
        headers = {
            "Host": target.netloc.decode("ascii"),
            "User-Agent": f"{USER_AGENT}/1.0",
            "Accept": "text/html,application/xhtml+xml,text/*;q=0.9,*/*;q=0.5",
            "Accept-Encoding": "gzip, identity",
        }
        if etag:
            headers["If-None-Match"] = etag
        if last_modified:
            headers["If-Modified-Since"] = last_modified
        return self._client.build_request(
            "GET",
            target.copy_with(host=address),
            headers=headers,
            timeout=httpx2.Timeout(self._seconds, connect=_CONNECT_SECONDS),
            extensions={"sni_hostname": target.host},
        )

    async def _exchange(self, url: str, request: httpx2.Request, most: int) -> Answer:
        response = await self._client.send(request, stream=True)
        try:
            redirected = response.status_code in _REDIRECTS and "location" in response.headers
            body = b"" if redirected else await _body(response, most)
        finally:
            await response.aclose()
        headers = response.headers
        return Answer(
            url=url,
            status=response.status_code,
            media_type=headers.get("content-type", "").partition(";")[0].strip().lower(),
            body=body,
            etag=headers.get("etag"),
            last_modified=headers.get("last-modified"),
            location=canonical(urljoin(url, headers["location"])) if redirected else None,
            robots_tag=headers.get("x-robots-tag", "").lower(),
        )


async def _body(response: httpx2.Response, most: int) -> bytes:
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding not in {"identity", "", "gzip", "x-gzip"}:
        raise SourceRefused(f"the server sends {coding}, which was not asked for")
    unpack = zlib.decompressobj(wbits=31) if "gzip" in coding else None
    received = bytearray()
    async for chunk in response.aiter_raw():
        try:
            # Bounded: a small answer may unpack to a huge one.
            received += unpack.decompress(chunk, most + 1 - len(received)) if unpack else chunk
        except zlib.error:
            raise SourceUnreachable("the answer is not the gzip it claims to be") from None
        if len(received) > most:
            raise SourceRefused(f"larger than {most} bytes")
    return bytes(received)
