"""Opens the reader that a source's kind asks for."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from db.tables.sources import Source, SourceItem
from domain.knowledge.storage import Storage
from domain.sources.archive import UnpackLimits
from domain.sources.config import DatabaseConfig, UploadConfig, UrlConfig, read_config
from domain.sources.database_store import CustomerDatabase
from domain.sources.fetch import Fetcher
from domain.sources.found import SourceReader
from domain.sources.upload import Upload
from domain.sources.web_file import WebFile
from domain.sources.website import Website


@dataclass(frozen=True, slots=True)
class Readers:
    """databases: DSNs by `<organisation id>/<name>` or `*/<name>`. Sizes in bytes, times in seconds."""

    storage: Storage
    allow_private: bool = False
    databases: Mapping[str, str] = field(default_factory=dict)
    max_bytes: int = 50_000_000
    request_seconds: float = 30
    unpacking: UnpackLimits = field(default_factory=UnpackLimits)

    def open(
        self,
        source: Source,
        *,
        original: Callable[[SourceItem], Awaitable[bytes | None]],
        remember: Callable[[str, str], Awaitable[None]],
        seen: list[str],
    ) -> SourceReader:
        """The caller closes it. Connects to nothing yet."""
        config = read_config(source.config)
        if isinstance(config, UploadConfig):
            return Upload(config, self.storage, source.org_id, source.id, self.unpacking)
        if isinstance(config, DatabaseConfig):
            return CustomerDatabase(config, source.org_id, self.databases)
        fetcher = Fetcher(allow_private=self.allow_private, max_bytes=self.max_bytes, seconds=self.request_seconds)
        if isinstance(config, UrlConfig):
            return WebFile(config, fetcher)
        return Website(config, fetcher, source.robots, original=original, remember=remember, seen=seen)
