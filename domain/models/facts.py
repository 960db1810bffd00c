"""What is known of a model before it is asked: its window, what it cannot do, where it runs, what a call may cost."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from genai_prices.data_snapshot import get_snapshot

from contracts.turn import Usage
from domain.errors import DomainError
from domain.llm.model import ModelRequest, Provider
from domain.models.policy import Candidate, Capability

_NOTHING_BUT_TEXT: frozenset[Capability] = frozenset({"tools", "images", "files", "json_schema", "reasoning"})
_LACKS: dict[str, frozenset[Capability]] = {
    "extractive": _NOTHING_BUT_TEXT,
    "perplexity": frozenset({"tools"}),
}
"""By provider name; what a candidate says of itself is added."""

_LOCAL = ("extractive", "scripted")
"""Run in this process: they are never overloaded, and no breaker guards them."""

CHARACTERS_PER_TOKEN = 3
"""A cautious guess where nothing counts: English has 4 and more, German 3.4 with the tokenizers of 2026."""

IMAGE_TOKENS = 1600
"""What the largest picture costs with the providers that publish a rule."""

Price = Callable[[str, str, Usage], int]
"""Micros of a call by provider, model and usage; 0 where no price is known."""


class ProviderSet(Protocol):
    """The configured providers by name."""

    def get(self, name: str) -> Provider:
        """Raises ProviderRejected when there is none of that name."""
        ...


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """context_tokens None: not known, so it counts as large enough. region None: not known."""

    model: str
    context_tokens: int | None = None
    lacks: frozenset[Capability] = frozenset()
    region: str | None = None


class Facts:
    """Answers from what is configured and what comes with the packages; asks nobody."""

    def __init__(self, providers: ProviderSet, price: Price, *, regions: Mapping[str, str] | None = None) -> None:
        """regions: by provider name, where the deployment says so."""
        self._providers = providers
        self._price = price
        self._regions = regions or {}

    def of(self, candidate: Candidate) -> ModelFacts | None:
        """None when its provider is not configured here."""
        try:
            provider = self._providers.get(candidate.provider)
        except DomainError:
            return None
        model = candidate.model or provider.default_model
        return ModelFacts(
            model,
            candidate.context_tokens or window(candidate.provider, model),
            _LACKS.get(candidate.provider, frozenset()) | frozenset(candidate.lacks),
            candidate.region or self._regions.get(candidate.provider),
        )

    def worst_case(self, provider: str, model: str, input_tokens: int, output_tokens: int) -> int:
        """Micros when the prompt is read uncached and the reply is as long as it may be."""
        return self._price(provider, model, Usage(input_tokens=input_tokens, output_tokens=output_tokens))


def is_local(provider: str) -> bool:
    return provider in _LOCAL


@lru_cache(maxsize=1024)
def window(provider: str, model: str) -> int | None:
    """Tokens of a model's context by the packaged table; None where it does not say."""
    try:
        _, found = get_snapshot().find_provider_model(model, None, provider, None)
    except LookupError:
        try:
            _, found = get_snapshot().find_provider_model(model, None, None, None)
        except LookupError:
            return None
    return found.context_window


def size(request: ModelRequest) -> int:
    """About how many tokens the provider reads; rather too many than too few."""
    chars = len(request.instructions) + len(request.prefix)
    pictures = 0
    for message in request.messages:
        chars += len(message.text)
        pictures += len(message.attachments)
    return chars // CHARACTERS_PER_TOKEN + 200 * len(request.tools) + IMAGE_TOKENS * pictures


def needs(request: ModelRequest) -> frozenset[Capability]:
    """What a model must be able to do for this request."""
    found: set[Capability] = set()
    if request.tools:
        found.add("tools")
    if request.output_schema is not None:
        found.add("json_schema")
    if request.reasoning not in {None, "none"}:
        found.add("reasoning")
    for message in request.messages:
        for attachment in message.attachments:
            found.add("images" if attachment.media_type.startswith("image/") else "files")
    return frozenset(found)
