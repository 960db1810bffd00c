"""One spelling for each web address, so that no page is fetched twice; and which addresses look like a trap."""

import re
from collections import Counter
from urllib.parse import urlsplit, urlunsplit

from w3lib.url import canonicalize_url, url_query_cleaner

_LONGEST = 2000
"""Browsers and servers agree on about this; longer ones are made by mistakes that feed on themselves."""

_REPEATS = 3
"""A path that names the same folder three times is a relative link gone round in circles."""

_TRACKING = (
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "utm_term",
    "utm_content",
    "gclid",
    "fbclid",
    "mc_cid",
    "ref_src",
)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_DIGITS = re.compile(r"\d+")


def canonical(url: str) -> str:
    """Raises ValueError for what is no http or https address, or names a user."""
    parts = urlsplit(canonicalize_url(url_query_cleaner(url.strip(), _TRACKING, remove=True)))
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.username is not None:
        raise ValueError(f"not a web address: {url[:200]!r}")
    if len(url) > _LONGEST:
        raise ValueError("the address is too long")
    port = parts.port
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    netloc = host if port in {None, _DEFAULT_PORTS[parts.scheme]} else f"{host}:{port}"
    return urlunsplit((parts.scheme, netloc, re.sub("/{2,}", "/", parts.path) or "/", parts.query, ""))


def host_of(url: str) -> str:
    """The host with its port, as it stands in the address."""
    return urlsplit(url).netloc


def goes_in_circles(url: str) -> bool:
    folders = Counter(part for part in urlsplit(url).path.split("/") if part)
    return any(count >= _REPEATS for count in folders.values())


def variant_of(url: str) -> str | None:
    """What addresses that differ in their query, or in numbers of it, have in common; None without a query."""
    parts = urlsplit(url)
    if not parts.query:
        return None
    return f"{parts.netloc}{_DIGITS.sub('0', parts.path)}"
