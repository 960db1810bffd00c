"""A follow-up becomes a question that can be searched alone; what stands alone is left as it is."""

# ruff: noqa: RUF001 - other languages have other letters

from collections.abc import AsyncGenerator, AsyncIterator

import pytest

from contracts.turn import Usage
from domain.errors import ProviderUnavailable
from domain.knowledge.followup import language_of, reasons
from domain.knowledge.rewrite import Line, RuleRewriter
from domain.llm.model import Finished, ModelRequest, Piece, Provider, TextPiece
from domain.llm.rewrite import ModelRewriter
from domain.llm.scripted import ScriptedProvider

ASKED = [Line("user", "How do I cancel my subscription?"), Line("assistant", "Open the billing page.")]

FOLLOW_UPS = [
    ("en", "What does the basic plan cost?", "and for the premium plan?", "cost"),
    ("en", "How do I cancel my subscription?", "Is it refunded when I move abroad next winter?", "subscription"),
    ("en", "Which lenses fit the camera X100?", "how much?", "camera"),
    ("de", "Was kostet der Basistarif im Monat?", "Und für den Premiumtarif?", "basistarif"),
    ("de", "Wie kündige ich mein Abonnement?", "Gilt dies auch im Ausland für Studenten?", "abonnement"),
    ("fr", "Combien coûte la livraison en Belgique ?", "Et pour la Suisse ?", "livraison"),
    ("es", "¿Cuánto cuesta el envío a Portugal?", "¿Y a Francia?", "envío"),
    ("it", "Quanto costa la spedizione in Francia?", "E per la Svizzera?", "spedizione"),
    ("pt", "Quanto custa a entrega no Brasil?", "E para a Argentina?", "entrega"),
    ("nl", "Hoeveel kost de bezorging naar België?", "En voor Duitsland?", "bezorging"),
    ("ru", "Сколько стоит доставка в Казань?", "А в Москву?", "доставка"),
    ("zh", "标准套餐的价格是多少？", "那高级套餐呢？", "标准套餐"),
    ("ja", "基本プランの料金はいくらですか？", "それはいつ請求されますか？", "基本プラン"),
    ("ko", "기본 요금제 가격은 얼마인가요?", "그럼 프리미엄은?", "요금제"),
]

ALONE = [
    "How do I reset the password of my company account?",
    "Which documents do I need to open a business account in Austria?",
    "Welche Unterlagen brauche ich für ein Geschäftskonto in Österreich?",
    "¿Qué documentos necesito para abrir una cuenta comercial en Austria?",
    "开设企业银行账户需要准备哪些材料和证件？",
]


@pytest.mark.parametrize(("language", "before", "text", "added"), FOLLOW_UPS)
async def test_a_follow_up_gets_the_topic_of_the_question_before(
    language: str, before: str, text: str, added: str
) -> None:
    assert language_of([before, text]) == language
    rewrite = await RuleRewriter().rewrite(text, [Line("user", before), Line("assistant", "…")])
    assert rewrite is not None
    assert added in rewrite.query
    assert rewrite.query.endswith(text)
    assert (rewrite.by, bool(rewrite.reasons)) == ("rules", True)


@pytest.mark.parametrize("text", ALONE)
async def test_a_question_that_stands_alone_is_left_as_it_is(text: str) -> None:
    assert reasons(text, language_of([text])) == []
    assert await RuleRewriter().rewrite(text, ASKED) is None


async def test_the_first_message_of_a_conversation_is_never_rewritten() -> None:
    assert await RuleRewriter().rewrite("and that?", []) is None
    assert await RuleRewriter().rewrite("and that?", [Line("assistant", "Hello, how can I help?")]) is None


async def test_a_topic_named_two_questions_ago_is_still_known() -> None:
    history = [*ASKED, Line("user", "how much?"), Line("assistant", "Nothing.")]
    rewrite = await RuleRewriter().rewrite("and when?", history)
    assert rewrite is not None
    assert "subscription" in rewrite.query


class Asked:
    """A provider that is asked directly, at no cost."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self.provider, self.model, self.cost_micros = provider.name, provider.default_model, 0

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Piece, None]:
        async for piece in self._provider.stream(request):
            yield piece


async def test_a_model_writes_the_question_and_its_use_is_told() -> None:
    rewrite = await ModelRewriter(Asked(ScriptedProvider()), RuleRewriter()).rewrite("and that?", ASKED)
    assert rewrite is not None
    assert (rewrite.query, rewrite.by) == ("This is a scripted reply.", "model")
    assert rewrite.usage.output_tokens == 5


class Unusable:
    """A provider that behaves as real ones do on a bad day."""

    name, default_model = "scripted", "scripted"

    def __init__(self, text: str | None) -> None:
        self._text = text

    async def stream(self, request: ModelRequest) -> AsyncIterator[Piece]:
        if self._text is None:
            raise ProviderUnavailable("overloaded")
        yield TextPiece(self._text)
        yield Finished("stop", Usage())

    async def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("text", [None, "   ", "a lecture " * 200])
async def test_a_model_that_fails_or_lectures_leaves_it_to_the_rules(text: str | None) -> None:
    rewrite = await ModelRewriter(Asked(Unusable(text)), RuleRewriter()).rewrite("and that?", ASKED)
    assert rewrite is not None
    assert (rewrite.by, "subscription" in rewrite.query) == ("rules", True)


async def test_a_model_that_is_late_is_not_waited_for() -> None:
    rewriter = ModelRewriter(Asked(ScriptedProvider()), RuleRewriter(), most_seconds=0)
    rewrite = await rewriter.rewrite("and that?", ASKED)
    assert rewrite is not None
    assert rewrite.by == "rules"
