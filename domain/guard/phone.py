"""Phone numbers: by their international form, by a national form, or because the text says so."""

import re
from collections.abc import Iterator

import phonenumbers

_NUMBER = re.compile(
    r"(?<![A-Za-z0-9@_=/.-])(?:\+|00)?(?:\([0-9]{1,5}\)|[0-9])"
    r"(?:(?:[ \u00a0]?\([0-9]{1,5}\)[ \u00a0-]?|[ \u00a0./-]{1,2})?[0-9]){5,15}(?![A-Za-z0-9@_=]|[.:/-][0-9A-Za-z])"
)
_CONTEXT = re.compile(
    r"(?<![\[A-Za-z])(?:phones?|tele?phones?|tel|mobile|cell(?:phone)?|fax|call(?:ing|ed)?|dial|whatsapp|sms|text\s+me|hotline"
    r"|reach\s+(?:me|us|him|her|them)|ring|handy|telefon\w*|rufnummer|anrufen|ruf\w*|mobil\w*|t[ée]l[ée]phone|portable|appel\w*"
    r"|tel[ée]fono?\w*|m[óo]vil|celular|llam\w+|ligu?e|telem[óo]vel|cellulare|chiam\w+|numero|n[úu]mero|nummer)\b"
    r"|телефон|тел\.|звон|позвон|电话|電話|手机|휴대폰|전화|هاتف|फोन|फ़ोन|điện thoại",
    re.IGNORECASE,
)
_NOT_PHONE = re.compile(
    r"(?:order|invoice|ticket|case|ref(?:erence)?|account|acct|serial|model|sku|version|isbn|tracking|booking|id|no\.?"
    r"|rechnung|bestell\w*|konto\w*|pedido|commande|facture|#|€|\$|£|usd|eur)\s*(?:no\.?|number|nr\.?|id|is|:|#)*\s*[:#]?\s*$",
    re.IGNORECASE,
)
_GROUP = re.compile(r"\+?\(?[0-9]+\)?")
_DAY, _MONTH = "(?:0?[1-9]|[12][0-9]|3[01])", "(?:0?[1-9]|1[0-2])"
_DATE = re.compile(
    rf"(?:19|20)[0-9]{{2}}[-./ ]{_MONTH}[-./ ]{_DAY}(?![0-9])"
    rf"|(?:{_DAY}[-./ ]{_MONTH}|{_MONTH}[-./ ]{_DAY})[-./ ](?:19|20)?[0-9]{{2}}(?![0-9])"
)
_NORTH_AMERICAN = re.compile(r"(?:1[-. ])?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[-. ])[2-9][0-9]{2}[-. ][0-9]{4}")
_NATIONAL = re.compile(r"\(?0[1-9](?:[ ()./-]{0,2}[0-9]){8,10}")
CONTEXT_CHARACTERS = 32
"""A word like "phone" speaks for a number this near behind it: "my phone number at home is: " has 28."""


def phones(cluster: str, before: str) -> Iterator[tuple[int, int]]:
    """Spans of phone numbers. before: the text left of the cluster."""
    for found in _NUMBER.finditer(cluster):
        groups = [(found.start() + g.start(), found.start() + g.end()) for g in _GROUP.finditer(found.group())]
        first = 0
        while first < len(groups):
            start = groups[first][0]
            left = (before + cluster[:start])[-CONTEXT_CHARACTERS:]
            # Longest first: what stands behind a number may only look like more of it.
            last = next(
                (n for n in reversed(range(first, len(groups))) if _is_phone(cluster[start : groups[n][1]], left)), None
            )
            if last is None:
                first += 1
                continue
            yield start, groups[last][1]
            first = last + 1


def _is_phone(text: str, left: str) -> bool:
    count = sum(character.isdigit() for character in text)
    if not 7 <= count <= 15:
        return False
    if text.startswith("+") or (text.startswith("00") and count > 10):
        return _is_international(text)
    if _NOT_PHONE.search(left) or _DATE.match(text):
        return False
    if _CONTEXT.search(left):
        return True
    if _NORTH_AMERICAN.fullmatch(text):
        return True
    groups = re.split(r"[^0-9]+", text.strip("()"))
    return len(groups) >= 2 and min(len(g) for g in groups) >= 2 and _NATIONAL.fullmatch(text) is not None


def _is_international(text: str) -> bool:
    try:
        number = phonenumbers.parse("+" + text.removeprefix("+").removeprefix("00"), None)
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.is_possible_number(number)


def spellings(text: str) -> set[str]:
    """The digits of a number with and without country code and trunk zero, for comparing two spellings."""
    digits = "".join(character for character in text if character.isdigit())
    found = {digits, digits.lstrip("0")}
    if text.startswith(("+", "00")):
        try:
            number = phonenumbers.parse("+" + digits.lstrip("0"), None)
        except phonenumbers.NumberParseException:
            return found
        found.add(str(number.national_number))
    return {spelling for spelling in found if len(spelling) >= 7}
