"""Objects in an S3-compatible store, below one prefix of one bucket. Keys and promises are those of `storage.py`."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import S3Store

from domain.errors import NotFound, StorageUnavailable
from domain.knowledge.storage import key_parts

if TYPE_CHECKING:  # its types are not there at run time
    from obstore.store import S3Config

_LISTED = 1000
"""Objects deleted in one request: the most that S3 takes."""

_RETRY_SECONDS = 10
"""Rides out a reset or a 503 while a caller of the API waits; a longer outage is retried by Temporal, or said."""

_REQUEST_SECONDS = 120
"""50 MB, the largest upload, at 4 Mbit/s."""


class S3Storage:
    """Puts are whole or not at all: a store shows an object only when its last byte is there."""

    def __init__(self, url: str, config: "S3Config | None" = None) -> None:
        """url: s3://bucket/prefix. Endpoint, region and credentials come from the usual AWS_ variables, which
        config overrides. Raises ValueError for another scheme. Connects to nothing yet.
        """
        if not url.startswith("s3://"):
            raise ValueError(f"not an S3 address: {url!r}")
        self._store = S3Store.from_url(
            url,
            config=config,
            client_options={
                "allow_http": True,  # an endpoint in one's own network; AWS's own is always https
                "connect_timeout": timedelta(seconds=5),
                "timeout": timedelta(seconds=_REQUEST_SECONDS),
            },
            retry_config={
                "max_retries": 5,
                "retry_timeout": timedelta(seconds=_RETRY_SECONDS),
                "backoff": {
                    "init_backoff": timedelta(milliseconds=100),
                    "max_backoff": timedelta(seconds=2),
                    "base": 2,
                },
            },
        )

    async def put(self, org_id: UUID, key: str, data: bytes) -> None:
        """Raises StorageUnavailable."""
        path = _path(org_id, key)
        try:
            # In one request: a put in parts that is given up leaves parts behind, which cost and cannot be seen.
            await obstore.put_async(self._store, path, data, use_multipart=False)
        except _FAULTS as error:
            raise _away(error) from error

    async def get(self, org_id: UUID, key: str) -> bytes:
        """Raises NotFound, StorageUnavailable."""
        path = _path(org_id, key)
        try:
            found = await obstore.get_async(self._store, path)
            return bytes(await found.bytes_async())
        except _ABSENT:
            raise NotFound(f"nothing is stored as {key}") from None
        except _FAULTS as error:
            raise _away(error) from error

    async def delete(self, org_id: UUID, prefix: str) -> None:
        """Raises StorageUnavailable."""
        path = _path(org_id, prefix)
        try:
            await obstore.delete_async(self._store, [path])
            async for page in obstore.list(self._store, prefix=path, chunk_size=_LISTED):
                await obstore.delete_async(self._store, [each["path"] for each in page])
        except _ABSENT:  # some stores say so; gone is what was asked for
            return
        except _FAULTS as error:
            raise _away(error) from error


_ABSENT: tuple[type[Exception], ...] = (FileNotFoundError, NotFoundError)
_FAULTS: tuple[type[Exception], ...] = (BaseError, OSError)


def _path(org_id: UUID, key: str) -> str:
    return "/".join((str(org_id), *key_parts(key)))


def _away(error: Any) -> StorageUnavailable:
    # The client's own words name the bucket and may quote the store's answer: for logs, not for callers.
    return StorageUnavailable(f"object storage did not do what was asked ({type(error).__name__})")
