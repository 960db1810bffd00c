"""Reads a website page by page: what may be visited, what a page leads to, and where a trap begins."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from db.tables.sources import SourceItem
from domain.errors import DocumentUnreadable, SourceRefused, SourceUnreachable
from domain.knowledge.encoding import decode_html
from domain.sources.address import canonical, goes_in_circles, host_of, variant_of
from domain.sources.config import WebsiteConfig
from domain.sources.fetch import Answer, Fetcher
from domain.sources.found import Found, Limits, Seed
from domain.sources.links import PageLinks, find_links
from domain.sources.robots import Robots, read_robots, read_sitemaps
from domain.sources.web_file import filename, is_html

_VARIANTS = 50
"""Addresses that differ only in their query: a calendar or a sorted table has endlessly many."""

_TRIES = 3
_AGAIN_SECONDS = 0.5
_PAGE_BYTES = 10_000_000
"""Larger HTML is made by a machine for a machine; files other than pages may have the size of an upload."""

Original = Callable[[SourceItem], Awaitable[bytes | None]]
Remember = Callable[[str, str], Awaitable[None]]


class Website:
    """original: the bytes kept of an item. remember: keeps a host's robots.txt for the rest of the run."""

    def __init__(
        self,
        config: WebsiteConfig,
        fetcher: Fetcher,
        robots: dict[str, str],
        *,
        original: Original,
        remember: Remember,
        seen: list[str],
    ) -> None:
        self._config = config
        self._fetcher = fetcher
        self._robots = {host: Robots(text) for host, text in robots.items()}
        self._hosts = {host_of(config.url), *config.allowed_hosts}
        self._original = original
        self._remember = remember
        self._known = set(seen)
        self._variants = Counter(variant for url in seen if (variant := variant_of(url)) is not None)
        self.limits = Limits(items=config.max_pages, depth=config.max_depth)

    async def seeds(self) -> list[Seed]:
        """The start, and what the host's sitemaps name."""
        urls = [self._config.url]
        if self._config.sitemap:
            start = urlsplit(self._config.url)
            origin = f"{start.scheme}://{start.netloc}"
            named = (await self._rules(self._config.url)).sitemaps()
            maps = [f"{origin}/sitemap.xml", *(url for url in named if self._near(url))]
            urls += await read_sitemaps(self._fetcher, maps, self._config.max_pages)
        return self._wanted(urls)

    async def read(self, item: SourceItem) -> Found:
        """Raises nothing of the page itself; a site that does not answer is a failed item."""
        url = item.key
        if not (await self._rules(url)).allows(url):
            return Found("skipped", "robots.txt does not allow it", asked=False)
        try:
            return await self._judge(item, await self._fetch(item))
        except (SourceUnreachable, SourceRefused) as error:
            return Found("failed", error.detail)

    async def _judge(self, item: SourceItem, answer: Answer) -> Found:
        if answer.location is not None:
            return Found("skipped", f"leads to {answer.location}", links=self._follow([answer.location]))
        if answer.status == 304:
            return await self._unchanged(item, answer)
        if answer.status in {404, 410}:
            return Found("vanished" if item.document_id else "failed", f"the server says {answer.status}")
        if answer.status != 200:
            return Found("failed", f"the server says {answer.status}")
        return await self._page(item, answer)

    def pause(self, key: str) -> float:
        known = self._robots.get(host_of(key))
        return max(self._config.delay_seconds, known.delay() if known else 0.0)

    async def close(self) -> None:
        await self._fetcher.close()

    async def _rules(self, url: str) -> Robots:
        host = host_of(url)
        if host not in self._robots:
            text = await read_robots(self._fetcher, f"{urlsplit(url).scheme}://{host}")
            await self._remember(host, text)
            self._robots[host] = Robots(text)
        return self._robots[host]

    async def _fetch(self, item: SourceItem) -> Answer:
        known = item.document_id is not None
        etag, last_modified = (item.etag, item.last_modified) if known else (None, None)
        for attempt in range(_TRIES):
            last = attempt == _TRIES - 1
            try:
                answer = await self._fetcher.once(item.key, etag=etag, last_modified=last_modified)
            except SourceUnreachable:
                if last:
                    raise
            else:
                if last or (answer.status < 500 and answer.status != 429):
                    return answer
            await asyncio.sleep(max(_AGAIN_SECONDS * 2**attempt, min(self.pause(item.key), 5)))
        raise AssertionError

    async def _page(self, item: SourceItem, answer: Answer) -> Found:
        page = PageLinks()
        if is_html(answer):
            if len(answer.body) > _PAGE_BYTES:
                return Found("failed", f"a page of more than {_PAGE_BYTES} bytes")
            page = await self._links(answer.body, item.key)
        follow = page.follow and "nofollow" not in answer.robots_tag and "none" not in answer.robots_tag
        links = self._follow(page.links) if follow else []
        if not page.index or "noindex" in answer.robots_tag or "none" in answer.robots_tag:
            return Found("skipped", "the page asks not to be indexed", links=links)
        if page.canonical is not None and page.canonical != item.key and self._near(page.canonical):
            return Found("duplicate", f"names {page.canonical} as its address", links=self._follow([page.canonical]))
        return Found(
            "stored",
            body=answer.body,
            filename=filename(answer),
            media_type=answer.media_type,
            links=links,
            etag=answer.etag,
            last_modified=answer.last_modified,
        )

    async def _unchanged(self, item: SourceItem, answer: Answer) -> Found:
        body = await self._original(item)
        links = self._follow((await self._links(body, item.key)).links) if body and b"<" in body[:2000] else []
        return Found(
            "unchanged",
            "not modified",
            links=links,
            etag=answer.etag or item.etag,
            last_modified=answer.last_modified or item.last_modified,
        )

    async def _links(self, body: bytes, url: str) -> PageLinks:
        try:
            return await asyncio.to_thread(lambda: find_links(decode_html(body), url))
        except DocumentUnreadable:
            return PageLinks()

    def _near(self, url: str) -> bool:
        return host_of(url) in self._hosts

    def _follow(self, urls: list[str]) -> list[str]:
        return [seed.key for seed in self._wanted(urls)]

    def _wanted(self, urls: list[str]) -> list[Seed]:
        seeds: list[Seed] = []
        for url in dict.fromkeys(canonical(url) for url in urls):
            if not self._near(url) or goes_in_circles(url):
                continue
            variant = variant_of(url)
            if variant is not None and url not in self._known:
                if self._variants[variant] >= _VARIANTS:
                    continue
                self._variants[variant] += 1
                self._known.add(url)
            seeds.append(Seed(url))
        return seeds
