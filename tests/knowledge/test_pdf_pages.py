"""A PDF's page yields the words that a person reads on it, in the order of their script, filled fields included."""

# ruff: noqa: RUF001 (letters of other scripts are meant)

import pytest

from domain.knowledge.parse import parse
from tests.knowledge.pdf import drawn_pdf, form_pdf


@pytest.mark.parametrize("ligature", ["لا", "\ufefb"])
def test_letters_of_an_arabic_ligature_stand_in_their_order(ligature: str) -> None:
    word = ["ا", "ل", "م", "ش", "ك", ligature, "ت"]
    assert parse(drawn_pdf(word[::-1]), "a.pdf").text == "المشكلات"


def test_letters_of_any_ligature_stand_in_their_order() -> None:
    assert parse(drawn_pdf(["د", "لمح", "م"]), "a.pdf").text == "ملمحد"


def test_a_latin_word_is_not_glued_to_an_arabic_one() -> None:
    assert parse(drawn_pdf(["ن", "م", *"Python", "و"]), "a.pdf").text.split() == ["و", "Python", "من"]


def test_what_was_filled_into_a_form_is_read() -> None:
    text = parse(form_pdf("Name and city", "Ada Lovelace", "London"), "form.pdf").text
    assert text.split() == ["Name", "and", "city", "Ada", "Lovelace", "London"]
