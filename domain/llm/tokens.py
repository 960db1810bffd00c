"""How many tokens a text is to a model, counted offline. Not for what a call has cost: the provider counts that."""

from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from math import ceil
from pathlib import Path
from typing import Any, Protocol

_SHORT_CHARS = 4_000
"""Longer texts are remembered by their hash, which is 50 times as fast as counting them and keeps no text alive."""

_REMEMBERED = 8_192


@dataclass(frozen=True, slots=True)
class Family:
    """Tokens of a family of models, as a multiple of those of a vocabulary that is at hand.

    foreign: tokens on top for each byte beyond one a character, which other scripts than the Latin one have. Upper
    bounds, so that what fits here fits there; a family that is counted exactly has 1 and 0.
    """

    vocabulary: str
    factor: float = 1.0
    foreign: float = 0.0


_O200K, _CL100K = Family("o200k_base"), Family("cl100k_base")
_LARGE = Family("o200k_base", 1.15)
"""Vocabularies of 250,000 pieces. Measured on XQuAD's paragraphs in 12 languages with that of E5: 0.66 (Thai) to
1.12 (English) times the tokens of o200k."""
_CLAUDE = Family("cl100k_base", 1.35)
"""Not public. Its makers say of the newest that it makes up to 1.35 times the tokens of the one before."""
_SMALL = Family("cl100k_base", 1.45, 0.6)
"""Anything else, down to vocabularies of 49,000 pieces. Measured on XQuAD's paragraphs with that of SmolLM2: what we
count is 1.01 (the worst Spanish paragraph) to 2.2 times (Hindi) what it makes of them, 1.4 times in English."""

_OF_PROVIDER = {"openai": _O200K, "openai_responses": _O200K, "gemini": _LARGE, "google": _LARGE, "anthropic": _CLAUDE}
_OF_MODEL = (
    ("gpt-4-", _CL100K),
    ("gpt-3.5", _CL100K),
    ("gpt-", _O200K),
    ("chatgpt-", _O200K),
    ("o1", _O200K),
    ("o3", _O200K),
    ("o4", _O200K),
    ("claude", _CLAUDE),
    ("gemini", _LARGE),
)


@lru_cache(maxsize=256)
def family(provider: str, model: str) -> Family:
    """By the model's name, else by its provider's; the most cautious family for what is not known."""
    name = model.casefold().rpartition("/")[2]
    if name == "gpt-4":
        return _CL100K
    known = next((family for start, family in _OF_MODEL if name.startswith(start)), None)
    return known or _OF_PROVIDER.get(provider, _SMALL)


class TokenCounter:
    """Counts for one family. A text that was counted before costs a look-up; a new one 20 ms a megabyte or less."""

    def __init__(self, family: Family) -> None:
        self._family = family
        self._known: OrderedDict[str | bytes, int] = OrderedDict()

    def count(self, text: str) -> int:
        """An upper bound, never more than the text's bytes: every vocabulary spells what it lacks in bytes."""
        key = text if len(text) <= _SHORT_CHARS else blake2b(_bytes(text), digest_size=16).digest()
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._count(text)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return known

    def exceeds(self, text: str, most: int) -> bool:
        """Whether `count` is above; quick for texts that are far above or surely below."""
        return most < at_most(text) and (len(text) > most * _LONGEST_TOKEN or self.count(text) > most)

    def _count(self, text: str) -> int:
        written = _bytes(text)
        counted: int = _vocabulary(self._family.vocabulary).count(written.decode())
        foreign = self._family.foreign * (len(written) - len(text))
        return min(len(written), ceil(counted * self._family.factor + foreign))


_LONGEST_TOKEN = 128
"""Characters: o200k has one of 128 spaces, and none is longer."""


@lru_cache(maxsize=16)
def counter(family: Family) -> TokenCounter:
    """The one of this process: texts that are counted for one conversation are known to the next."""
    return TokenCounter(family)


def at_most(text: str) -> int:
    """Tokens to any model at most: the bytes. Costs nothing, and needs no vocabulary."""
    return len(text) if text.isascii() else len(_bytes(text))


def _bytes(text: str) -> bytes:
    """Half of a surrogate pair, which JSON can carry and UTF-8 cannot, counts as a question mark."""
    return text.encode("utf-8", "replace")


class _Vocabulary(Protocol):
    def count(self, text: str) -> int: ...


@lru_cache(maxsize=4)
def _vocabulary(name: str) -> _Vocabulary:
    """0.05 s and 70 MB the first time, which is why what surely fits is never counted."""
    vocabulary: _Vocabulary = _bindings().tokenizer_for_encoding(name)
    return vocabulary


@lru_cache(maxsize=1)
def _bindings() -> Any:
    """The compiled part of `bpe-openai` alone: its package reads the same vocabularies once more, into 80 MB of
    Python, in 0.6 s."""
    package = find_spec("bpe_openai")
    assert package is not None
    assert package.origin is not None
    folder = Path(package.origin).parent
    compiled = next(path for end in EXTENSION_SUFFIXES for path in folder.glob(f"_bindings*{end}"))
    spec = spec_from_file_location("_bindings", compiled)
    assert spec is not None
    assert spec.loader is not None
    bindings = module_from_spec(spec)
    spec.loader.exec_module(bindings)
    return bindings
