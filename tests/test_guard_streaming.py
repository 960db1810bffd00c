"""What a reply shows while it streams is what the check of the whole text would show, and words never wait."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.agents.config import Guardrails
from domain.guard.guard import check_outgoing
from domain.guard.streaming import OutgoingStream

PRIVATE_KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow IBAAKCAQEA\n7x+/==\n-----END RSA PRIVATE KEY-----"
BEGINS_WITH_LETTERS = [
    "ann.lee@example.com",
    "müller@firma.de",
    "GB29 NWBK 6016 1331 9268 19",
    "DE89370400440532013000",
    "AKIAIOSFODNN7EXAMPLE",
    "fe80::1ff:fe23:4567:890a",
    "sk-abcdefghijklmnopqrstuv1234",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
]
BEGINS_WITH_OTHER = [
    "4111 1111 1111 1111",
    "5500-0000-0000-0004",
    "378282246310005",
    "(212) 555-0143",
    "+49 30 901820",
    "phone: 030 1234567",
    "call 0171/1234567",
    "123-45-6789",
    "social security number 123 45 6789",
    "192.0.2.44",
    "2001:db8::8a2e:370:7334",
    PRIVATE_KEY,
    "-----BEGIN CERTIFICATE-----",
    "-----BEGIN RSA PRIVATE KEY----- and no end",
]
ORDINARY = [
    "Hello", "and", "(see", "below)", "don't", "1.", "2024-05-06", "3 + (4", "well-known", "and/or", "https://x.io/a?b=1",
    "v1.2.3.4", "your card", "order 12345678", "US50 OFF NOW", "12 000", "std::vector", "你好世界", "привет", "مرحبا",
    "a@b", "john.", "+", "(", "-----BEGIN", "-----", "\n", "\n\n- ", "[1]",
    "**bold**", "€ 12.50", "@", "1", "GB29", "tel",
]  # fmt: skip


LETTERS = r"[^\W\d_]*"
GLUE = [" ", " ", "\n", ", ", "  ", "\u00a0", ". "]


def texts(fragments: list[str], glue: list[str]) -> st.SearchStrategy[str]:
    parts = st.lists(st.tuples(st.sampled_from(fragments), st.sampled_from(glue)), max_size=9)
    return parts.map(lambda pairs: "".join(fragment + separator for fragment, separator in pairs))


@st.composite
def split_texts(draw: st.DrawFn, fragments: list[str], glue: list[str]) -> list[str]:
    text = draw(texts(fragments, glue))
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=60)))
    return [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def streamed(pieces: list[str], grounded: list[str]) -> str:
    stream = OutgoingStream(Guardrails(), grounded)
    return "".join([stream.feed(piece) for piece in pieces] + [stream.finish()])


def whole(text: str, grounded: list[str]) -> str:
    return check_outgoing(text, Guardrails(), grounded).text or text


@settings(max_examples=500, deadline=None)
@given(
    split_texts([*BEGINS_WITH_OTHER, *ORDINARY], GLUE),
    st.sampled_from([[], ["call (212) 555-0143"], ["192.0.2.44", "+49 30 901820"]]),
)
def test_a_stream_shows_exactly_what_the_whole_check_shows(pieces: list[str], grounded: list[str]) -> None:
    assert streamed(pieces, grounded) == whole("".join(pieces), grounded)


@settings(max_examples=500, deadline=None)
@given(split_texts([*BEGINS_WITH_LETTERS, *BEGINS_WITH_OTHER, *ORDINARY], [*GLUE, ""]))
def test_only_leading_letters_of_an_identifier_may_stand_before_its_placeholder(pieces: list[str]) -> None:
    parts = re.split(r"(\[(?:card|phone|ssn|ip|secret|iban|email)\])", whole("".join(pieces), []))
    pattern = "".join(LETTERS * (index % 2) + re.escape(part) for index, part in enumerate(parts))
    assert re.fullmatch(pattern, streamed(pieces, []))


@settings(max_examples=500, deadline=None)
@given(texts([*BEGINS_WITH_LETTERS, *BEGINS_WITH_OTHER, *ORDINARY], GLUE))
def test_a_checked_text_passes_a_second_check_unchanged(text: str) -> None:
    once = whole(text, [])
    assert whole(once, []) == once


def test_the_difference_is_the_letters_that_went_out_before_the_rest_of_the_word_came() -> None:
    assert streamed(["write to ann", ".lee@example.com now"], []) == "write to ann[email] now"
    assert streamed(["write to ann.lee", "@example.com now"], []) == "write to [email] now"
    assert streamed(["write", " to", " ann.lee@example.com", " now"], []) == "write to [email] now"


@given(st.lists(st.sampled_from(["a", "word", " word", " and", "löscht", " die", "\n", " ", "你好"]), max_size=30))
def test_words_of_letters_are_never_delayed(tokens: list[str]) -> None:
    stream = OutgoingStream(Guardrails(), [])
    assert [stream.feed(token) for token in tokens] == tokens
    assert stream.finish() == ""
