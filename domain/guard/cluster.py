"""Where in a text an identifier could be: its clusters. Not for deciding what a cluster is.

A cluster is a word of the characters that identifiers are made of, or several such words of digits
with one space between (card and phone numbers are written so). No identifier crosses a
cluster's edge, which is what lets a stream of words be judged cluster by cluster.
"""

import re

_A = r"[A-Za-zÀ-ɏ0-9@._%+\-:/()=]"
_SPACE = "[ \u00a0]"

CLUSTER = re.compile(
    # An IBAN in groups of four, the last perhaps shorter (34 characters is the longest).
    rf"[A-Z]{{2}}[0-9]{{2}}(?:{_SPACE}[A-Z0-9]{{4}}(?!{_A})){{0,7}}(?:{_SPACE}[A-Z0-9]{{1,4}})[.:)]*(?!{_A})"
    # Any other word, going on over single spaces while digits follow digits; forty words bound what a stream holds.
    rf"|{_A}+(?:(?<=[0-9)]){_SPACE}(?=[+(]?[0-9]){_A}+){{0,39}}"
)

_GROUP_OF_IBAN = re.compile(rf"[A-Z]{{2}}[0-9]{{2}}(?:{_SPACE}[A-Z0-9]{{1,4}}){{0,8}}")
_PLAIN = re.compile(r"\(?[A-Za-zÀ-ɏ]+\)?")


def is_plain(cluster: str) -> bool:
    """A word of letters, perhaps in brackets: by itself it identifies nobody."""
    return _PLAIN.fullmatch(cluster) is not None


def goes_on_after_space(cluster: str) -> bool:
    """Whether one space may be followed by more of the same cluster."""
    return cluster[-1] in "0123456789)" or _GROUP_OF_IBAN.fullmatch(cluster) is not None


def opens_number(cluster: str) -> bool:
    """A sign that belongs to the number before it only if a digit follows."""
    return cluster in ("+", "(")
