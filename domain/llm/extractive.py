"""The model without a model: answers with sentences of the passages, each cited, or says that it found none.

Not for composing text: every word it says stands in a passage or in `_NOTHING_FOUND`.
"""

# ruff: noqa: RUF001 - other languages have other letters

from collections.abc import AsyncIterator, Sequence

from domain.knowledge.embedder import Embedder
from domain.llm.model import Finished, ModelRequest, Piece, TextPiece
from domain.llm.resume import is_beginning, shown_length
from domain.llm.scripted import counted, words_of
from domain.llm.sentence import Sentence, is_unspaced, overlaps, sentences, terms
from domain.routing.language import LanguageDetector

CANDIDATES = 16
"""Sentences that are embedded, 3-6 ms each on one core; the others share too few words with the question."""

MOST_SENTENCES = 4
OVERLAP_WEIGHT = 0.1
NEAR_BEST = 0.03
"""Further sentences are said when they score this close to the best: in XQuAD, the answer stands in the best for 80%
of the English questions and in the best three for 96%."""

SAME_LANGUAGE = 0.845
UNSPACED = 0.88
OTHER_LANGUAGE = 0.775
"""Least score of the best sentence. Measured on XQuAD (rel: the paragraph is there; unrel: others are), 10th percentile
of rel against 90th of unrel: en .88/.80, de .90/.81, ru .86/.81, zh .91/.86; German questions over English .79/.76."""

_NOTHING_FOUND = {
    "en": "I could not find anything about this in the documents that I have.",
    "de": "Dazu habe ich in den mir vorliegenden Dokumenten nichts gefunden.",
    "fr": "Je n'ai rien trouvé à ce sujet dans les documents dont je dispose.",
    "es": "No he encontrado nada sobre esto en los documentos que tengo.",
    "pt": "Não encontrei nada sobre isso nos documentos que tenho.",
    "it": "Non ho trovato nulla al riguardo nei documenti che ho.",
    "nl": "Ik heb hierover niets gevonden in de documenten die ik heb.",
    "pl": "Nie znalazłem nic na ten temat w dostępnych dokumentach.",
    "ru": "В имеющихся у меня документах об этом ничего не нашлось.",
    "uk": "У наявних документах про це нічого не знайдено.",
    "tr": "Elimdeki belgelerde bununla ilgili bir şey bulamadım.",
    "ar": "لم أجد شيئًا عن هذا في المستندات المتوفرة لدي.",
    "hi": "मुझे उपलब्ध दस्तावेज़ों में इसके बारे में कुछ नहीं मिला।",
    "zh": "在现有的文档中没有找到相关内容。",
    "ja": "手元の文書にはこれに関する情報が見つかりませんでした。",
    "ko": "제가 가진 문서에서 이에 대한 내용을 찾지 못했습니다.",
    "vi": "Tôi không tìm thấy thông tin nào về điều này trong các tài liệu hiện có.",
}


class ExtractiveProvider:
    """The default without keys. Deterministic: the same question and passages give the same text."""

    default_model = "extractive"

    def __init__(self, embedder: Embedder, name: str = "extractive") -> None:
        self.name = name
        self._embedder = embedder
        self._languages = LanguageDetector()

    async def stream(self, request: ModelRequest) -> AsyncIterator[Piece]:
        chosen = await self._choose(request)
        text = _answer(chosen) or _NOTHING_FOUND.get(request.language, _NOTHING_FOUND["en"])
        left = _after(text, request.prefix)
        for piece in words_of(left):
            yield TextPiece(piece)
        yield Finished("stop", counted(request, left))

    async def close(self) -> None:
        """Nothing is open."""

    async def _choose(self, request: ModelRequest) -> list[Sentence]:
        found = sentences(request.passages)
        if not found or not request.question.strip():
            return []
        shared = overlaps(terms(request.question), found)
        # Passages come best first, so among equals the earlier is the better guess.
        order = sorted(range(len(found)), key=lambda index: (-shared[index], index))[:CANDIDATES]
        question = await self._embedder.query(request.question)
        closeness = await self._embedder.passages([found[index].text for index in order]) @ question
        scores = {
            index: float(close) + OVERLAP_WEIGHT * shared[index] for index, close in zip(order, closeness, strict=True)
        }
        best = max(scores, key=lambda index: scores[index])
        least = max(self._threshold(request.question, found[best].text), scores[best] - NEAR_BEST)
        ranked = sorted((index for index in scores if scores[index] >= least), key=lambda index: -scores[index])
        return [found[index] for index in sorted(_with_items(ranked[:MOST_SENTENCES], found))]

    def _threshold(self, question: str, answer: str) -> float:
        if is_unspaced(question) and is_unspaced(answer):
            return UNSPACED
        asked, told = self._languages.detect(question), self._languages.detect(answer)
        # Short texts are misread; only a sure difference lowers the bar.
        differs = asked.language != told.language and min(asked.confidence, told.confidence) > 0.5
        return OTHER_LANGUAGE if differs else SAME_LANGUAGE


def _after(text: str, shown: str) -> str:
    """What is left to say. After another model's beginning all of it, as a paragraph of its own."""
    return text[shown_length(text, shown) :] if is_beginning(shown, text) else f"\n\n{text}"


def _with_items(chosen: Sequence[int], found: Sequence[Sentence]) -> set[int]:
    """Chosen sentences, and after one that announces a list the list's first items: it says nothing without them."""
    complete = set(chosen)
    for index in chosen:
        following = index + 1
        while (
            found[index].text.endswith(":")
            and following < len(found)
            and found[following].is_item
            and found[following].passage == found[index].passage
            and following - index <= MOST_SENTENCES
        ):
            complete.add(following)
            following += 1
    return complete


def _answer(chosen: Sequence[Sentence]) -> str:
    """Sentences in the order of the passages, each with the number of its passage."""
    parts: list[str] = []
    for sentence in chosen:
        cited = f"{sentence.text} [{sentence.passage + 1}]"
        if sentence.is_item:
            parts.append(("\n" if parts else "") + f"- {cited}")
        else:
            parts.append(("\n" if parts and parts[-1].lstrip().startswith("- ") else " " if parts else "") + cited)
    return "".join(parts)
