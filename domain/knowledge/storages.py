"""Chooses where objects are kept, by an address. Not for keeping them."""

from pathlib import Path

from domain.errors import Invalid
from domain.knowledge.storage import LocalStorage, Storage


def open_storage(url: str | None, folder: Path) -> Storage:
    """The store of `url` (s3://bucket/prefix), or the local folder without one.

    Raises Invalid for another scheme, or when the package that speaks S3 is not installed.
    """
    if not url:
        return LocalStorage(folder)
    try:
        from domain.knowledge.storage_s3 import S3Storage  # noqa: PLC0415  an extra of its own: 15 MB

        return S3Storage(url)
    except ImportError:
        raise Invalid("an s3:// storage needs the extra: pip install everturn[s3]") from None
    except ValueError as error:
        raise Invalid(str(error)) from None
