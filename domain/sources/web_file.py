"""The source that is one address, and what a file from an address is called, so that it is read as what it is."""

from urllib.parse import unquote, urlsplit

from db.tables.sources import SourceItem
from domain.sources.config import UrlConfig
from domain.sources.fetch import Answer, Fetcher
from domain.sources.found import Found, Limits, Seed

_NAME_CHARS = 255
_SUFFIXES = {
    "text/html": (".html", ".htm", ".xhtml"),
    "application/xhtml+xml": (".xhtml", ".html", ".htm"),
    "text/markdown": (".md", ".markdown", ".mdx"),
    "application/pdf": (".pdf",),
}


def is_html(answer: Answer) -> bool:
    return answer.media_type in {"text/html", "application/xhtml+xml"}


def filename(answer: Answer) -> str:
    """Host and path, with the suffix of what the server says it is."""
    parts = urlsplit(answer.url)
    query = f"?{parts.query}" if parts.query else ""
    name = "".join(c for c in f"{parts.netloc}{unquote(parts.path).rstrip('/')}{query}" if c.isprintable())
    suffixes = _SUFFIXES.get(answer.media_type, ("",))
    suffix = "" if name.lower().endswith(suffixes) else suffixes[0]
    return name[: _NAME_CHARS - len(suffix)] + suffix


class WebFile:
    """One address. A redirect is followed wherever it may lead."""

    def __init__(self, config: UrlConfig, fetcher: Fetcher) -> None:
        self._config = config
        self._fetcher = fetcher
        self.limits = Limits(items=1)

    async def seeds(self) -> list[Seed]:
        return [Seed(self._config.url)]

    async def read(self, item: SourceItem) -> Found:
        """Raises SourceUnreachable, SourceRefused: there is nothing else in this source."""
        known = item.document_id is not None
        answer = await self._fetcher.get(
            item.key, etag=item.etag if known else None, last_modified=item.last_modified if known else None
        )
        if answer.status == 304:
            return Found("unchanged", "not modified", etag=item.etag, last_modified=item.last_modified)
        if answer.status in {404, 410} and item.document_id:
            return Found("vanished", f"the server says {answer.status}")
        if answer.status != 200:
            return Found("failed", f"the server says {answer.status}")
        return Found(
            "stored",
            body=answer.body,
            filename=filename(answer),
            media_type=answer.media_type,
            etag=answer.etag,
            last_modified=answer.last_modified,
        )

    def pause(self, key: str) -> float:
        return 0.0

    async def close(self) -> None:
        await self._fetcher.close()
