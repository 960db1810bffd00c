"""Finds where an HTML page leads: its links, its canonical address, and what it asks of robots."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin

from domain.sources.address import canonical

_MOST = 5000
"""Links of one page; real ones have some hundred, a trap has more."""


@dataclass(slots=True)
class PageLinks:
    """links are canonical, in the order of the page, each once."""

    links: list[str] = field(default_factory=list)
    canonical: str | None = None
    index: bool = True
    follow: bool = True


def find_links(html: str, url: str) -> PageLinks:
    """Never raises: what is broken is left out."""
    reader = _Reader(url)
    reader.feed(html)
    reader.close()
    return reader.found


class _Reader(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__(convert_charrefs=True)
        self._base = url
        self._seen = set[str]()
        self.found = PageLinks()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "base" and given.get("href"):
            self._base = self._absolute(given["href"]) or self._base
        elif tag == "a" and "href" in given and "nofollow" not in given.get("rel", "").lower():
            self._link(given["href"])
        elif tag == "link" and given.get("rel", "").lower() == "canonical" and given.get("href"):
            self.found.canonical = self._absolute(given["href"])
        elif tag == "meta" and given.get("name", "").lower() in {"robots", "everturnbot"}:
            self._obey(given.get("content", "").lower())

    def _obey(self, said: str) -> None:
        self.found.index &= "noindex" not in said and "none" not in said
        self.found.follow &= "nofollow" not in said and "none" not in said

    def _link(self, href: str) -> None:
        target = self._absolute(href)
        if target is not None and target not in self._seen and len(self._seen) < _MOST:
            self._seen.add(target)
            self.found.links.append(target)

    def _absolute(self, href: str) -> str | None:
        try:
            return canonical(urljoin(self._base, href.strip()))
        except ValueError:
            return None
