"""Readers never see text twice, and never miss any, when a reply goes on after a failure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.agents.config import Guardrails
from domain.guard.guard import check_outgoing
from domain.llm.resume import Continuation, shown_length

PREFIX = "You can return it within 30 days. Please keep the rec"


def joined(prefix: str, *pieces: str) -> str:
    continuation = Continuation(prefix)
    return prefix + "".join([continuation.feed(piece) for piece in pieces] + [continuation.finish()])


@pytest.mark.parametrize(
    "pieces",
    [
        ["receipt", " ready."],  # the last word, as asked
        ["re", "ceipt", " ready", "."],
        [" receipt ready."],
        ["Please keep the receipt ready."],  # the last sentence again
        ["You can return it within 30 days. ", "Please keep the rec", "eipt ready."],  # everything again
    ],
)
def test_what_the_model_says_again_is_cut_away(pieces: list[str]) -> None:
    assert joined(PREFIX, *pieces) == "You can return it within 30 days. Please keep the receipt ready."


@pytest.mark.parametrize(
    ("prefix", "pieces", "whole"),
    [
        ("The cat", [" sat."], "The cat sat."),
        ("The cat", ["sat."], "The cat sat."),
        ("The cat ", ["cat sat."], "The cat sat."),
        ("The cat ", ["sat."], "The cat sat."),
        ("The cat.", [" The dog."], "The cat. The dog."),
        ("One,", [" two"], "One, two"),
        ("", ["Hello"], "Hello"),
        ("Hello", [], "Hello"),
        ("Hello", ["Hello"], "Hello"),
        ("你好", ["你好，", "世界"], "你好，世界"),  # noqa: RUF001
    ],
)
def test_what_is_new_is_kept(prefix: str, pieces: list[str], whole: str) -> None:
    assert joined(prefix, *pieces) == whole


@given(st.lists(st.sampled_from(["one", " two", " three", ".", " one"]), min_size=1), st.data())
def test_a_model_that_repeats_everything_is_joined_without_a_seam(words: list[str], data: st.DataObject) -> None:
    text = "".join(words).strip() + " end"
    cut = data.draw(st.integers(1, len(text)))
    pieces = [text[i : i + 3] for i in range(0, len(text), 3)]
    if text[:cut].strip():
        assert joined(text[:cut], *pieces) == text


def test_new_text_waits_only_while_it_may_be_a_repetition() -> None:
    continuation = Continuation("The cat")
    assert continuation.feed(" ca") == ""
    assert continuation.feed("r") == " car"
    assert continuation.feed(" drove") == " drove"


TEXT = "Write to ann@example.com or call (212) 555-0143 for order 42, then pay with 4111 1111 1111 1111 today."


@given(st.integers(0, len(TEXT)))
def test_of_a_text_that_never_changes_the_shown_part_is_known_even_where_it_was_redacted(cut: int) -> None:
    redacted = check_outgoing(TEXT, Guardrails(), []).text
    assert redacted is not None
    cut = min(cut, len(redacted))
    if "[" not in redacted[redacted.rfind("]", 0, cut) + 1 : cut]:  # a placeholder is shown whole or not at all
        left = TEXT[shown_length(TEXT, redacted[:cut]) :]
        assert (check_outgoing(left, Guardrails(), []).text or left) == redacted[cut:]


def test_where_text_and_prefix_part_nothing_is_shown_twice() -> None:
    assert shown_length("Hello world and all", "Hello world but") == len("Hello world ")
    assert shown_length("Hello", "Hello and more") == len("Hello")
