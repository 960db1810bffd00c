"""How much a model can read, and how that is shared out. Not for counting: see `tokens.py`."""

from dataclasses import dataclass
from functools import lru_cache

from genai_prices.data_snapshot import get_snapshot

from domain.llm.tokens import TokenCounter, at_most, counter, family

UNKNOWN_TOKENS = 8_192
"""The window of a model that nobody described. Servers of open models are seldom started with less."""

_UNBOUNDED = 10_000_000
_NOT_MODELS = ("extractive", "scripted")
_VENDORS = (
    ("gpt-oss", UNKNOWN_TOKENS),
    ("gpt-", 128_000),
    ("chatgpt-", 128_000),
    ("o1", 128_000),
    ("o3", 128_000),
    ("o4", 128_000),
    ("claude", 200_000),
    ("gemini", 1_000_000),
    ("deepseek-chat", 64_000),
    ("deepseek-reasoner", 64_000),
    ("sonar", 128_000),
)
"""Names that are their makers' own, with the least window of their present models: for one newer than the table."""

_MARGIN = 64
_MARGIN_SHARE = 0.02
"""Of the window, kept free for what a provider writes around a request: role marks, its own preamble."""

MESSAGE_TOKENS = 8
"""Around each message. OpenAI names 3 or 4; chat templates of open models have up to 8."""

_MOST_REPLY_SHARE = 0.5
LEFT_OUT = "\n[… left out: too long …]\n"


@dataclass(frozen=True, slots=True)
class Window:
    """tokens: question and reply together. counter: counts as the model does, or a little more."""

    tokens: int
    counter: TokenCounter

    def reply(self, wanted: int) -> int:
        """Tokens that the reply may have: what is wanted, and never more than half of the window."""
        return max(1, min(wanted, int(self.tokens * _MOST_REPLY_SHARE)))

    def room(self, reply: int) -> int:
        """Tokens for everything that is asked, beside a reply of so many."""
        return max(0, self.tokens - reply - _MARGIN - int(self.tokens * _MARGIN_SHARE))

    def count(self, text: str) -> int:
        return self.counter.count(text)


def window(provider: str, model: str, stated: int | None = None) -> Window:
    """stated: what the agent's settings say of the model's window; else what is published of it."""
    return Window(stated or published_tokens(provider, model), counter(family(provider, model)))


@lru_cache(maxsize=256)
def published_tokens(provider: str, model: str) -> int:
    """From the packaged table of models; UNKNOWN_TOKENS for one that is not in it."""
    if provider in _NOT_MODELS:
        return _UNBOUNDED
    found = _published({"gemini": "google"}.get(provider, provider), model)
    if found is None:
        name = model.casefold().rpartition("/")[2]
        least = next((least for start, least in _VENDORS if name.startswith(start)), None)
        # A model with open weights may run on a server that gives it less than is published of it.
        found = (_published(None, model) or least) if least and least > UNKNOWN_TOKENS else None
    return found or UNKNOWN_TOKENS


def _published(provider: str | None, model: str) -> int | None:
    try:
        _, found = get_snapshot().find_provider_model(model, None, provider, None)
    except LookupError:
        return None
    return found.context_window


class Budget:
    """What is left of a window while one part after the other is put in. Never below zero."""

    def __init__(self, window: Window, tokens: int) -> None:
        self._window = window
        self.left = tokens

    def take(self, *texts: str) -> None:
        """Texts that must be there, whatever is left."""
        self.left = max(0, self.left - sum(self._window.count(text) for text in texts))

    def fit(self, text: str, most: int, *, extra: int = 0) -> str:
        """The text, without its middle when it has more than `most` tokens, or more than are left. Taken.

        extra: tokens that go around it.
        """
        most = min(most, self.left) - extra
        fitting = shortened(text, most, self._window.counter)
        self.left = max(0, self.left - self._window.count(fitting) - extra)
        return fitting

    def holds(self, text: str, most: int, *, extra: int = 0) -> bool:
        """Take the whole text if it has no more than `most` tokens and there is room; else leave it."""
        most = min(most, self.left) - extra
        if most < 0 or self._window.counter.exceeds(text, most):
            return False
        self.left -= self._window.count(text) + extra
        return True


def shortened(text: str, most: int, counts: TokenCounter) -> str:
    """At most so many tokens of a text: its beginning and its end, and between them a mark. Empty when too few."""
    if not counts.exceeds(text, most):
        return text
    mark = counts.count(LEFT_OUT)
    if most <= 2 * mark:
        return ""
    # Four characters a token is much for most scripts; what is too much is cut again in proportion.
    keep = min(len(text) - 1, (most - mark) * 4)
    while keep > 0:
        head = keep * 2 // 3
        short = f"{text[:head].rstrip()}{LEFT_OUT}{text[len(text) - (keep - head) :].lstrip()}"
        counted = counts.count(short)
        if counted <= most:
            return short
        keep = min(keep - 1, int(keep * most / counted * 0.95))
    return ""


def surely_fits(texts: list[str], messages: int, tokens: int) -> bool:
    """Whether a request fits by its bytes alone, as nearly all do: nothing has to be counted then."""
    return sum(map(at_most, texts)) + messages * MESSAGE_TOKENS <= tokens
