"""Whether a turn shows that its collections lack something. Not for keeping gaps: see `gap_store.py`."""

# ruff: noqa: RUF001 - other languages have other letters

import re
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from contracts.turn import PassageRef
from domain.knowledge.answerability import NOTHING_RELEVANT
from domain.knowledge.followup import language_of, telling

Reason = Literal["nothing_found", "weak_evidence", "not_answered", "bad_feedback"]

_WORDS = 2
"""Telling words of a question; "hello" and "thanks a lot" have fewer."""

_ADMISSIONS = re.compile(
    r"""(?:do(?:es)?\ not|don['’]?t|could\ not|couldn['’]t|cannot|can['’]t|unable\ to|not\ able\ to|did\ not|didn['’]t)
          \ (?:\w+\ ){0,3}(?:know|find|have|provide|contain|mention|specify|include|see|locate|answer)
          \ (?:\w+\ ){0,4}(?:information|anything|details?|answer|data|mention|specifics|that|this|it|about|whether)
      | \bI\ do\ not\ know\b | \bI\ don['’]t\ know\b
      | \bno\ (?:\w+\ )?(?:information|mention|details?|answer)\ (?:\w+\ ){0,3}(?:about|on|in|regarding|found|is)
      | (?:keine|nicht\ genug)\ (?:\w+\ )?(?:informationen|angaben|antwort)
      | weiß\ ich\ (?:leider\ )?nicht | ich\ weiß\ (?:es\ )?(?:leider\ )?nicht | (?:nichts|keine\ antwort)\ gefunden
      | rien\ trouvé | je\ ne\ sais\ pas | (?:pas|aucune)\ (?:d['’])?information
      | no\ he\ encontrado | no\ (?:lo\ )?sé\b | no\ (?:tengo|dispongo\ de|hay)\ (?:\w+\ )?información
      | não\ (?:encontrei|sei) | não\ (?:tenho|há)\ (?:\w+\ )?informaç
      | non\ ho\ trovato | non\ (?:lo\ )?so\b | non\ (?:ho|ci\ sono)\ (?:\w+\ )?informazioni
      | niets\ gevonden | weet\ ik\ niet | geen\ informatie
      | nie\ znalazłem | nie\ wiem | brak\ informacji
      | не\ наш(?:ёл|ел|лось) | не\ знаю | нет\ информации | нічого\ не\ знайдено
      | bulamadım | bilmiyorum | لم\ أجد | لا\ أعرف | नहीं\ मिला
      | 没有找到 | 未找到 | 找不到 | 不知道 | 没有相关 | 見つかりません | わかりません | 情報はありません
      | 찾지\ 못했 | 모르겠 | 정보가\ 없 | không\ tìm\ thấy""",
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Gap:
    """A question that these collections could not answer."""

    collections: list[UUID]
    reasons: list[Reason]
    question: str


def admits(answer: str) -> bool:
    """Whether the answer says that it does not know."""
    return _ADMISSIONS.search(answer) is not None


def reasons(
    question: str, answer: str, best: PassageRef | None, answerable: float | None, *, tools: bool
) -> list[Reason]:
    """Empty when the turn is no gap. answerable: of the whole search. tools: one was asked, so it does not matter."""
    if sum(_weight(word) for word in telling(question, language_of([question]))) < _WORDS:
        return []
    found: list[Reason] = []
    if not tools and best is None:
        found.append("nothing_found")
    elif not tools and answerable is not None and answerable < NOTHING_RELEVANT:
        found.append("weak_evidence")
    if admits(answer):
        found.append("not_answered")
    return found


def _weight(word: str) -> int:
    """A word of a script without spaces is as many words as it has pairs of signs."""
    return 1 if word[0] < "\u0e00" else max(1, len(word) // 2)


def places(best: PassageRef | None, collections: list[UUID]) -> list[UUID]:
    """Where the answer is missed: in the collection of the best passage; without one, in any that was searched."""
    return collections if best is None else [best.collection_id]
