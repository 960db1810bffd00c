"""Undoes disguises: look-alike letters, invisible marks, leetspeak, base64. Not for judging what comes to light."""

import base64
import binascii
import re
import unicodedata

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb\U000e0000-\U000e01ef]+"
)
_LOOKALIKES = str.maketrans(
    "асеорхуіјѕԁһӏкмтвнАВЕКМНОРСТХУІЈЅΑΒΕΖΗΙΚΜΝΟΡΤΥΧοανιτρε",
    "aceopxyijsdhlkmtbhABEKMHOPCTXYIJSABEZHIKMNOPTYXoavitpe",
)
_MIXED_WORD = re.compile("\\b(?=\\w*[a-zA-Z])(?=\\w*[\u0370-\u04ff])\\w+")
_LEET = str.maketrans("0134578@$!|", "oieastbasil")
_LEET_WORD = re.compile(
    # A digit or sign before a letter; not the "!" that ends a sentence, and not an e-mail address.
    r"(?<![\w@$!|.])(?![\w.]*@[\w-]+\.)(?=[\w@$!|]*[0134578@$!|][A-Za-z])[\w@$!|]{3,}"
)
_SPELT_OUT = re.compile(r"(?<!\w)(?:\w[ .*_\-]){4,}\w(?!\w)")
_BROKEN_WORD = re.compile(r"(?<=[a-z])- ?(?=[a-z])")
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{24,4000}={0,2}(?![A-Za-z0-9+/])")
_BLANKS = re.compile(r"\s+")


def plain(text: str) -> str:
    """Lower case, one space between words, without invisible marks and look-alike letters."""
    if not text.isascii():
        text = _INVISIBLE.sub("", text)
        text = unicodedata.normalize("NFKC", text)
        text = _MIXED_WORD.sub(lambda word: word.group().translate(_LOOKALIKES), text)
        text = text.translate({0x2019: "'", 0x2018: "'"})
    return _BLANKS.sub(" ", text).lower()


def other_readings(text: str) -> list[str]:
    """Further readings of a plain text, as far as it has any: leetspeak, spelt-out and broken words."""
    readings = []
    leet = _LEET_WORD.sub(lambda word: word.group().translate(_LEET), text)
    spelt = _SPELT_OUT.sub(lambda run: re.sub(r"\W|_", "", run.group()), leet)
    if spelt != text:
        readings.append(spelt)
    joined = _BROKEN_WORD.sub("", text)
    if joined != text:
        readings.append(joined)
    return readings


def decoded(text: str) -> list[str]:
    """Plain texts hidden in base64."""
    found = []
    for match in _BASE64.finditer(text):
        try:
            hidden = base64.b64decode(match.group() + "=" * (-len(match.group()) % 4), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            continue
        if hidden.isprintable() or "\n" in hidden:
            found.append(plain(hidden))
    return found
