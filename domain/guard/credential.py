"""Secrets of well-known formats: API keys, tokens, private keys, passwords inside URLs."""

import re
from collections.abc import Iterator

_FORMATS = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"sk-[A-Za-z0-9_-]{20,}"  # OpenAI, Anthropic and many compatible servers
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])"  # AWS
    r"|gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,}|glpat-[A-Za-z0-9_-]{20,}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{10,}"  # Slack
    r"|AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{20,}"  # Google
    r"|(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/=]{24,}"  # Stripe, webhooks
    r"|SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64}|(?:SK|AC)[0-9a-f]{32}(?![A-Za-z0-9])"  # SendGrid, Twilio
    r"|hf_[A-Za-z0-9]{30,}|npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,}|dop_v1_[0-9a-f]{64}|shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"
    r"|eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"  # JSON web tokens
    r"|[0-9]{8,10}:AA[A-Za-z0-9_-]{33}"  # Telegram bots
    r"|ev_[A-Za-z0-9_-]{30,}"
    r")"
)
_URL_PASSWORD = re.compile(r"(?<=://)[^\s:/@]{1,64}:[^\s:/@]{3,}(?=@)")
_ASSIGNED = re.compile(r"(?:(?<=[:=])|^)[A-Za-z0-9_\-./+]{16,}={0,2}$")
_NAMED = re.compile(
    r"(?:api[ _-]?key|secret(?:[ _-]?(?:access[ _-]?)?key)?|access[ _-]?token|auth[ _-]?token|password|passwd|passwort)"
    r"[\"']?\s*(?:is|[:=])\s*[\"'`]?$",
    re.IGNORECASE,
)
_LETTERS_FIRST = ("AKIA", "ASIA", "AIza", "eyJ")
PRIVATE_KEY = re.compile(
    r"-----BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY-----[\s\S]*?(?:-----END (?:[A-Z0-9]+ ){0,4}PRIVATE KEY-----|\Z)"
)
PRIVATE_KEY_HEAD = re.compile(r"-----BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY-----")
PRIVATE_KEY_END = re.compile(r"-----END (?:[A-Z0-9]+ ){0,4}PRIVATE KEY-----")
PRIVATE_KEY_OPENING = re.compile(r"-----BEGIN(?: [A-Z0-9]*){0,6}-{0,5}$")
"""The end of a text that may yet become the head of a private key."""


def credentials(cluster: str, before: str) -> Iterator[tuple[int, int]]:
    """Spans of secrets. before: the text left of the cluster."""
    for pattern in (_FORMATS, _URL_PASSWORD):
        for found in pattern.finditer(cluster):
            yield found.span()
    for found in _ASSIGNED.finditer(cluster):
        value = found.group()
        if _is_mixed(value) and _NAMED.search(before + cluster[: found.start()]):
            yield found.span()


def _is_mixed(value: str) -> bool:
    return any(c.isdigit() for c in value) and any(c.isalpha() for c in value)


def may_become_credential(word: str) -> bool:
    """A word of letters that begins like a secret whose first characters are letters."""
    return word.startswith(_LETTERS_FIRST)
