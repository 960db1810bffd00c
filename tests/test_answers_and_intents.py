"""Without a model: answers are sentences of the passages or an honest no, and intents are named or honestly none."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from domain.agents.config import Intent
from domain.knowledge.e5 import E5Embedder
from domain.knowledge.passage import Passage
from domain.llm.extractive import ExtractiveProvider
from domain.llm.model import ChatMessage, Finished, ModelRequest, TextPiece
from domain.llm.sentence import clean, sentences
from domain.routing.language import LanguageDetector
from domain.routing.router import Router

MODELS = Path(__file__).parents[1] / "build" / "models"

RETURNS = """## Returns

You can return any item within **30 days** of delivery. Refunds are paid to the [original card](https://x.io/a_(b))
within 5 working days.

To start a return:

- Open your order and choose *Return*.
- Print the label.

```
curl -X POST https://api.example.com/returns
```
"""
SHIPPING = "Standard shipping takes 3 to 5 working days. Express shipping arrives the next day and costs 12 euros."
ZOO = "The zoo opens at nine in the morning. Dogs are not allowed inside the park."


@pytest.fixture(scope="module")
async def embedder() -> AsyncIterator[E5Embedder]:
    embedder = E5Embedder(MODELS)
    yield embedder
    embedder.close()


def passages(*texts: str) -> tuple[Passage, ...]:
    return tuple(Passage(str(uuid4()), uuid4(), uuid4(), "Help", "", None, 0, len(text), text) for text in texts)


async def answer(embedder: E5Embedder, question: str, *texts: str, language: str = "en", prefix: str = "") -> str:
    request = ModelRequest(
        model="extractive",
        instructions="",
        messages=(ChatMessage("user", question),),
        question=question,
        passages=passages(*texts),
        language=language,
        prefix=prefix,
    )
    pieces = [piece async for piece in ExtractiveProvider(embedder).stream(request)]
    assert isinstance(pieces[-1], Finished)
    return "".join(piece.text for piece in pieces if isinstance(piece, TextPiece))


async def test_an_answer_is_made_of_the_passages_sentences_each_cited(embedder: E5Embedder) -> None:
    text = await answer(embedder, "How many days do I have to return an item?", ZOO, SHIPPING, RETURNS)
    assert "You can return any item within 30 days of delivery. [3]" in text
    assert "[1]" not in text
    told = [part.strip().removeprefix("- ") for part in re.split(r"\[\d\]", text) if part.strip()]
    assert set(told) <= {sentence.text for sentence in sentences(passages(ZOO, SHIPPING, RETURNS))}


async def test_a_sentence_that_announces_a_list_brings_the_list(embedder: E5Embedder) -> None:
    text = await answer(embedder, "How do I start a return?", SHIPPING, RETURNS)
    assert "To start a return: [2]\n- Open your order and choose Return. [2]\n- Print the label. [2]" in text


@pytest.mark.parametrize(
    ("question", "language", "says"),
    [
        ("What is the capital of France?", "en", "could not find anything"),
        ("Wie hoch ist der Mount Everest?", "de", "nichts gefunden"),
        ("法国的首都是哪里？", "zh", "没有找到"),  # noqa: RUF001
        ("Mikä on Ranskan pääkaupunki?", "fi", "could not find anything"),
    ],
)
async def test_what_the_passages_do_not_say_is_not_answered(
    embedder: E5Embedder, question: str, language: str, says: str
) -> None:
    text = await answer(embedder, question, ZOO, SHIPPING, RETURNS, language=language)
    assert says in text
    assert "[" not in text


async def test_nothing_is_made_up_without_passages_or_question(embedder: E5Embedder) -> None:
    assert "could not find" in await answer(embedder, "How do I return an item?")
    assert "could not find" in await answer(embedder, " ", RETURNS)


async def test_a_question_in_another_language_finds_its_answer(embedder: E5Embedder) -> None:
    text = await answer(embedder, "Wie viel kostet der Expressversand?", ZOO, RETURNS, SHIPPING, language="de")
    assert "Express shipping arrives the next day and costs 12 euros. [3]" in text


async def test_a_reply_goes_on_after_its_prefix_to_the_letter(embedder: E5Embedder) -> None:
    question = "How long does shipping take?"
    text = await answer(embedder, question, SHIPPING, ZOO)
    for cut in (0, 1, len(text) // 2, len(text)):
        assert text[:cut] + await answer(embedder, question, SHIPPING, ZOO, prefix=text[:cut]) == text


def test_markup_is_taken_off_and_words_are_kept() -> None:
    assert clean("**Bold** and *it* and `code` of [a link](http://x/(y)) <br/>now_ok") == (
        "Bold and it and code of a link now_ok"
    )
    texts = [sentence.text for sentence in sentences(passages(RETURNS))]
    assert not any("curl" in text or "#" in text or "(" in text for text in texts)


INTENTS = [
    Intent(name="refund", examples=["I want my money back", "how do I get a refund", "refund my order please"]),
    Intent(name="shipping", examples=["where is my parcel", "when will it arrive", "track my delivery"]),
    Intent(name="password", examples=["I forgot my password", "reset my password", "cannot log in"]),
]


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("could I please have a refund?", "refund"),
        ("my package has not arrived yet, where is it?", "shipping"),
        ("Ich habe mein Passwort vergessen", "password"),
        ("what is the meaning of life", None),
        ("recipe for pancakes", None),
        ("", None),
    ],
)
async def test_an_intent_is_named_or_none(embedder: E5Embedder, text: str, intent: str | None) -> None:
    route = await Router(embedder).route(text, INTENTS, "v1")
    assert route.intent == intent
    assert 0 <= route.intent_confidence <= 1


async def test_examples_are_embedded_once_a_version(embedder: E5Embedder) -> None:
    router = Router(embedder)
    first = await router.route("reset my password", INTENTS, "v1")
    assert await router.route("reset my password", [Intent(name="other", examples=["x"])], "v1") == first
    assert (await router.route("reset my password", INTENTS[:1], "v2")).intent != "password"


async def test_an_agent_without_intents_still_learns_the_language(embedder: E5Embedder) -> None:
    route = await Router(embedder).route("¿Dónde está mi pedido?", [], "v1")
    assert (route.language, route.intent) == ("es", None)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Where is my order?", "en"),
        ("Wo ist meine Bestellung?", "de"),
        ("मेरा ऑर्डर कहाँ है?", "hi"),
        ("我的订单在哪里", "zh"),
        ("ok", "en"),
        ("42", "en"),
        ("https://example.com/où-est", "en"),
    ],
)
def test_the_language_is_told_also_of_short_messages(text: str, language: str) -> None:
    assert LanguageDetector().detect(text).language == language
