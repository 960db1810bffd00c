"""What is known of a model before it is asked: its window, what it cannot do, where it runs. Asks nobody."""

from dataclasses import dataclass

from domain.errors import ProviderRejected
from domain.llm.fit import IMAGE_TOKENS
from domain.llm.local_model import LocalModel
from domain.llm.model import ModelRequest
from domain.llm.provider_config import ProviderConfig
from domain.llm.providers import Providers
from domain.llm.tokens import at_most
from domain.llm.window import published_tokens
from domain.models.policy import Candidate, Capability

_LACKS: dict[str, frozenset[Capability]] = {
    "extractive": frozenset({"tools", "images", "files", "json_schema", "reasoning"}),
    "perplexity": frozenset({"tools"}),
    "local": frozenset({"images", "files", "reasoning"}),
}
"""By the kind of a provider; what a candidate says of itself is added."""

_IN_PROCESS = ("extractive", "scripted")
"""Run in this process: they are never overloaded, so no breaker guards them."""

BYTES_PER_TOKEN = 3
"""A cautious guess, as counting takes longer than choosing: English has 4 and more bytes a token, German 3.4, Chinese
4 with the tokenizers of 2026. What is sent is counted (`domain/llm/fit.py`)."""

_TOOL_TOKENS = 200


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """kind is the provider's. region None: not known. local: it runs in this process."""

    model: str
    context_tokens: int
    kind: str = ""
    lacks: frozenset[Capability] = frozenset()
    region: str | None = None
    local: bool = False


class Facts:
    """From what is configured and what comes with the packages."""

    def __init__(self, providers: Providers) -> None:
        self._providers = providers

    def of(self, candidate: Candidate) -> ModelFacts | None:
        """None when its provider is not configured here."""
        try:
            provider, config = self._providers.get(candidate.provider), self._providers.config(candidate.provider)
        except ProviderRejected:
            return None
        model = candidate.model or provider.default_model
        return ModelFacts(
            model,
            candidate.context_tokens or _window(config, model),
            config.kind,
            _LACKS.get(config.kind, frozenset()) | frozenset(candidate.lacks),
            candidate.region or config.region,
            config.kind in _IN_PROCESS,
        )


def _window(config: ProviderConfig, model: str) -> int:
    if config.kind == "local":
        return (config.local or LocalModel()).context_tokens
    return published_tokens(config.kind, model)


def size(request: ModelRequest) -> int:
    """About how many tokens the provider reads; rather too many than too few."""
    read, pictures = at_most(request.instructions) + at_most(request.prefix), 0
    for message in request.messages:
        read += at_most(message.text)
        pictures += len(message.attachments)
    return read // BYTES_PER_TOKEN + _TOOL_TOKENS * len(request.tools) + IMAGE_TOKENS * pictures


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
