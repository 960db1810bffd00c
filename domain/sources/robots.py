"""What a host's robots.txt allows, and what its sitemaps name. RFC 9309 decides what an absent or broken file means."""

import re
import zlib
from collections.abc import Iterator
from html import unescape

from protego import Protego

from domain.errors import SourceRefused, SourceUnreachable
from domain.sources.address import canonical
from domain.sources.fetch import USER_AGENT, Fetcher

_ROBOTS_BYTES = 500_000
"""RFC 9309: at least 500 kibibytes must be read; what follows is dropped by others too."""

_SITEMAP_BYTES = 50_000_000
_SITEMAPS = 20
"""Files read for one host: an index of a million addresses is not a site to crawl from one start."""

NOTHING = "User-agent: *\nDisallow: /\n"
_LOCATION = re.compile(rb"<(?:\w+:)?loc>\s*(?:<!\[CDATA\[)?\s*(.*?)\s*(?:\]\]>)?\s*</(?:\w+:)?loc>", re.DOTALL)
_INDEX = re.compile(rb"<(?:\w+:)?sitemapindex\b")


class Robots:
    """One host's rules."""

    def __init__(self, text: str) -> None:
        self._rules = Protego.parse(text)

    def allows(self, url: str) -> bool:
        return bool(self._rules.can_fetch(url, USER_AGENT))

    def delay(self) -> float:
        """Seconds between two requests that the host asks for; 0 without a wish."""
        rate = self._rules.request_rate(USER_AGENT)
        return max(float(self._rules.crawl_delay(USER_AGENT) or 0), rate.seconds / rate.requests if rate else 0.0)

    def sitemaps(self) -> list[str]:
        return list(self._rules.sitemaps)


async def read_robots(fetcher: Fetcher, origin: str) -> str:
    """The text of the rules. Absent (4xx): everything is allowed. Away (5xx, no answer): nothing is."""
    url = f"{origin}/robots.txt"
    try:
        answer = await fetcher.get(url)
    except SourceUnreachable:
        return NOTHING
    if answer.status >= 500:
        return NOTHING
    return answer.body[:_ROBOTS_BYTES].decode("utf-8", "replace") if answer.status == 200 else ""


async def read_sitemaps(fetcher: Fetcher, urls: list[str], limit: int) -> list[str]:
    """Addresses that these sitemaps name, and those that an index among them leads to. What is broken is left out."""
    found: dict[str, None] = {}
    queue = list(dict.fromkeys(urls))
    for number in range(_SITEMAPS):
        if number >= len(queue) or len(found) >= limit:
            break
        data = await _sitemap(fetcher, queue[number])
        named = list(_locations(data))
        if _INDEX.search(data[:2000]):
            queue += [url for url in named if url not in queue]
        else:
            found.update(dict.fromkeys(named))
    return list(found)[:limit]


async def _sitemap(fetcher: Fetcher, url: str) -> bytes:
    try:
        answer = await fetcher.get(url)
    except (SourceUnreachable, SourceRefused):
        return b""
    if answer.status != 200:
        return b""
    if not answer.body.startswith(b"\x1f\x8b"):
        return answer.body
    try:
        return zlib.decompressobj(wbits=31).decompress(answer.body, _SITEMAP_BYTES)
    except zlib.error:
        return b""


def _locations(data: bytes) -> Iterator[str]:
    # A pattern, not an XML reader: entities of a hostile file are never expanded.
    for place in _LOCATION.finditer(data):
        try:
            yield canonical(unescape(place[1].decode("utf-8", "replace")))
        except ValueError:
            continue
