"""Cards, IBANs and US social security numbers, recognised by their checksums and ranges. Not phones."""

import re
from collections.abc import Iterator

_CARD_RUN = re.compile(r"(?<![A-Za-z0-9.])[0-9](?:[ \u00a0-]?[0-9]){11,}(?![A-Za-z0-9])")
_GROUP = re.compile(r"[0-9]+")
_CARD_CONTEXT = re.compile(
    r"(?<!\[)(?:card|\bcc\b|visa|master|maestro|amex|credit|debit|karte|carte\b|tarjeta|cart[aã]o|carta\b|карт|卡|カード)",
    re.IGNORECASE,
)
_BRANDS: tuple[tuple[re.Pattern[str], frozenset[int]], ...] = (
    (re.compile("4"), frozenset({13, 16, 19})),
    (re.compile("5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720|220[0-4]"), frozenset({16})),
    (re.compile("3[47]"), frozenset({15})),
    (re.compile("30[0-5]|3[689]"), frozenset({14, 16})),
    (re.compile("6011|64[4-9]|65|62|81|9792"), frozenset({16, 17, 18, 19})),
    (re.compile("352[89]|35[3-8]"), frozenset({16, 17, 18, 19})),
    (re.compile("2131|1800"), frozenset({15})),
    (re.compile("50|5[6-9]|6"), frozenset(range(12, 20))),
)
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}[A-Za-z0-9 \u00a0]{11,42}")
_IBAN_LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29,
    "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29,
    "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28,
    "HN": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20,
    "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19,
    "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29,
    "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24,
    "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
    "YE": 30,
}  # fmt: skip
_SSN = re.compile(r"(?<![0-9A-Za-z.-])([0-9]{3})([ \u00a0-]?)([0-9]{2})\2([0-9]{4})(?![0-9A-Za-z-]|\.[0-9])")
_SSN_CONTEXT = re.compile(r"\b(?:ssn|social\s+security|soc\.?\s+sec)\b", re.IGNORECASE)
SHORT_CARD = 13
"""Numbers this short are cards only when the text speaks of cards: one in ten passes the checksum by chance."""


def cards(cluster: str, before: str) -> Iterator[tuple[int, int]]:
    """Spans of payment card numbers: checksum, and either a known brand or a text that speaks of cards."""
    for run in _CARD_RUN.finditer(cluster):
        groups = [(run.start() + g.start(), run.start() + g.end()) for g in _GROUP.finditer(run.group())]
        first = 0
        while first < len(groups):
            last = _card_from(cluster, before, groups, first)
            if last is None:
                first += 1
                continue
            yield groups[first][0], groups[last][1]
            first = last + 1


def _card_from(cluster: str, before: str, groups: list[tuple[int, int]], first: int) -> int | None:
    digits = ""
    longest = None
    start = groups[first][0]
    for last in range(first, len(groups)):
        digits += cluster[groups[last][0] : groups[last][1]]
        if len(digits) > 19:
            break
        if _passes_checksum(digits) and (_has_brand(digits) or _CARD_CONTEXT.search(before + cluster[:start])):
            longest = last
    return longest


def _has_brand(digits: str) -> bool:
    return len(digits) > SHORT_CARD and any(
        len(digits) in lengths and brand.match(digits) for brand, lengths in _BRANDS
    )


def _passes_checksum(digits: str) -> bool:
    if len(digits) < 12 or len(set(digits)) == 1:
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def ibans(cluster: str) -> Iterator[tuple[int, int]]:
    """Spans of international bank account numbers: known country, its length, checksum."""
    for found in _IBAN.finditer(cluster):
        wanted = _IBAN_LENGTHS.get(found.group()[:2].upper())
        end = _end_of(found.group(), wanted) if wanted else None
        if end is None or cluster[found.start() + end : found.start() + end + 1].isalnum():
            continue
        solid = "".join(found.group()[:end].split())
        if int("".join(str(int(c, 36)) for c in solid[4:] + solid[:4])) % 97 == 1:
            yield found.start(), found.start() + end


def _end_of(text: str, wanted: int) -> int | None:
    """Where the wanted number of letters and digits is reached."""
    count = 0
    for place, character in enumerate(text):
        count += character not in " \u00a0"
        if count == wanted:
            return place + 1
    return None


def social_security_numbers(cluster: str, before: str) -> Iterator[tuple[int, int]]:
    """Spans of US SSNs in the ranges that are issued; without dashes only where the text names them."""
    for found in _SSN.finditer(cluster):
        area, separator, group, serial = found.groups()
        issued = area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"
        if issued and (separator == "-" or _SSN_CONTEXT.search(before + cluster[: found.start()])):
            yield found.span()
