"""Finds personal data and secrets in a text, with exact places. Not for deciding what to do about them."""

import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from domain.guard.cluster import CLUSTER
from domain.guard.credential import PRIVATE_KEY, credentials
from domain.guard.number import cards, ibans, social_security_numbers
from domain.guard.phone import phones

Kind = Literal["email", "phone", "card", "iban", "ssn", "ip", "secret"]

CONTEXT_CHARACTERS = 48
"""How much text left of a cluster may speak for it ("my social security number is "); also what a stream remembers."""

_PLACEHOLDER = re.compile(rf"[a-z]*\[?(?:{'|'.join(get_args(Kind))})\]")
_HOT = re.compile(r"[0-9@]|://|-----BEGIN|sk-|_[A-Za-z]{16}")
_EMAIL = re.compile(
    r"(?<![A-Za-zÀ-ɏ0-9._%+-])[A-Za-zÀ-ɏ0-9_%+-](?:[A-Za-zÀ-ɏ0-9._%+-]{0,63})@"
    r"(?:[A-Za-zÀ-ɏ0-9](?:[A-Za-zÀ-ɏ0-9-]{0,62})\.){1,8}[A-Za-zÀ-ɏ]{2,24}(?![A-Za-zÀ-ɏ0-9@])"
)
_IPV4 = re.compile(r"(?<![0-9A-Za-z.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9A-Za-z]|\.[0-9])")
_IPV6 = re.compile(
    r"(?<![0-9A-Za-z:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?:(?:\.[0-9]{1,3}){3})?(?![0-9A-Za-z:])"
)
_VERSION = re.compile(r"(?:version|release|build|\bv)[ .:]*$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Span:
    """Code-point offsets into the text that was searched; end is exclusive."""

    kind: Kind
    start: int
    end: int


def find(text: str) -> list[Span]:
    """Every identifier, in order, none overlapping another."""
    if _HOT.search(text) is None:
        return []
    spans: list[Span] = []
    done = 0
    for block in PRIVATE_KEY.finditer(text) if "-----BEGIN" in text else ():
        spans += _find_between(text, done, block.start())
        spans.append(Span("secret", *block.span()))
        done = block.end()
    spans += _find_between(text, done, len(text))
    return spans


def _find_between(text: str, start: int, end: int) -> Iterator[Span]:
    for cluster in CLUSTER.finditer(text, start, end):
        yield from find_in_cluster(text, *cluster.span())


def find_in_cluster(text: str, start: int, end: int) -> list[Span]:
    """The identifiers of one cluster; reads nothing right of it and CONTEXT_CHARACTERS left of it."""
    if _HOT.search(text, start, end) is None:
        return []
    spans: list[Span] = []
    gaps = [(start, end)]
    for kind, search in _SEARCHES:
        found = [
            Span(kind, low + a, low + b) for low, high in gaps for a, b in search(text[low:high], _context(text, low))
        ]
        if found:
            spans += found
            gaps = _without(gaps, found)
    spans.sort(key=lambda span: span.start)
    return spans


def _context(text: str, place: int) -> str:
    """What may speak for an identifier at this place.

    A placeholder ends it: else the redacted text, which is shorter, would bring words nearer and
    a second check would find more than the first.
    """
    before = text[max(0, place - CONTEXT_CHARACTERS) : place]
    return _PLACEHOLDER.split(before)[-1] if "]" in before else before


def _without(gaps: list[tuple[int, int]], spans: list[Span]) -> list[tuple[int, int]]:
    """The parts of the gaps that no span has taken."""
    edges = sorted(place for gap in gaps for place in gap)
    edges = sorted([*edges, *(place for span in spans for place in (span.start, span.end))])
    return [(low, high) for low, high in zip(edges[::2], edges[1::2], strict=True) if low < high]


def _emails(cluster: str, before: str) -> Iterator[tuple[int, int]]:
    if "@" in cluster:
        yield from (found.span() for found in _EMAIL.finditer(cluster))


def _addresses(cluster: str, before: str) -> Iterator[tuple[int, int]]:
    if cluster.count(".") >= 3:
        for found in _IPV4.finditer(cluster):
            if _is_host(found.group()) and not _VERSION.search(before + cluster[: found.start()]):
                yield found.span()
    if cluster.count(":") >= 2:
        for found in _IPV6.finditer(cluster):
            # Names in code are joined by "::" too: a digit and a second part tell an address from them.
            parts = [part for part in found.group().split(":") if part]
            if len(parts) >= 2 and any(c.isdigit() for c in found.group()) and _is_host(found.group()):
                yield found.span()


def _is_host(text: str) -> bool:
    """A valid address of some machine: not loopback, unspecified or broadcast, which are nobody's."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified or text == "255.255.255.255")


# Earlier wins where two claim the same characters: a checksum is better evidence than a shape.
_SEARCHES: tuple[tuple[Kind, Callable[[str, str], Iterator[tuple[int, int]]]], ...] = (
    ("secret", credentials),
    ("email", _emails),
    ("iban", lambda cluster, before: ibans(cluster)),
    ("card", cards),
    ("ip", _addresses),
    ("ssn", social_security_numbers),
    ("phone", phones),
)
