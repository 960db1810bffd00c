"""The model providers of one process by name, and which of them an agent gets. Not for talking to any of them."""

from collections.abc import Callable, Mapping
from typing import Literal

from domain.agents.config import ModelSettings
from domain.errors import ProviderRejected
from domain.knowledge.embedder import Embedder
from domain.llm.extractive import ExtractiveProvider
from domain.llm.local_model import LocalModel
from domain.llm.model import Provider
from domain.llm.preset import preset_of
from domain.llm.provider_config import ProviderConfig
from domain.llm.scripted import ScriptedProvider
from domain.llm.structured import Structured
from domain.llm.wire import PATIENCE, Patience

_ALWAYS = {"extractive": ProviderConfig(kind="extractive"), "scripted": ProviderConfig(kind="scripted")}
_NOT_BY_ITSELF = ("extractive", "scripted")


class Providers:
    """Providers and what they were made from, by name. `default` answers for agents that name none."""

    def __init__(
        self, providers: Mapping[str, Provider], configs: Mapping[str, ProviderConfig], *, default: str = "extractive"
    ) -> None:
        self._providers = dict(providers)
        self._configs = dict(configs)
        self.default = default

    @property
    def limits(self) -> Mapping[str, int]:
        """Calls at the same time, by the name of those providers that have a limit."""
        return {name: config.max_concurrent for name, config in self._configs.items() if config.max_concurrent}

    def __contains__(self, name: object) -> bool:
        return name in self._providers

    def get(self, name: str) -> Provider:
        """Raises ProviderRejected (auth) when nothing of this name is configured here."""
        provider = self._providers.get(name)
        if provider is None:
            raise ProviderRejected(f"The model provider {name!r} is not configured here; set its API key.", kind="auth")
        return provider

    def config(self, name: str) -> ProviderConfig:
        """Kind, region, limits. Raises as `get`."""
        self.get(name)
        return self._configs[name]

    def choose(self, settings: ModelSettings) -> tuple[Provider, str]:
        """The provider and the model's name for an agent: what its settings say, else the default. Raises as `get`."""
        provider = self.get(settings.provider or self.default)
        return provider, settings.name or provider.default_model

    async def close(self) -> None:
        """Idempotent."""
        for provider in self._providers.values():
            await provider.close()


def configured_providers(
    embedder: Embedder,
    configs: Mapping[str, ProviderConfig],
    *,
    default: str | None = None,
    patience: Patience = PATIENCE,
) -> Providers:
    """A provider for each config; `extractive` and `scripted` are always there.

    default None: the first config that is neither, else extractive. patience: that of providers that set none.
    Raises ValueError when the default is not among them.
    """
    known = {**_ALWAYS, **configs}
    chosen = default or next((n for n, c in configs.items() if c.kind not in _NOT_BY_ITSELF), "extractive")
    if chosen not in known:
        raise ValueError(f"EVERTURN_DEFAULT_PROVIDER names {chosen!r}, which is not configured")
    made = {name: Structured(_made(name, config, embedder, patience)) for name, config in known.items()}
    return Providers(made, known, default=chosen)


def _made(name: str, config: ProviderConfig, embedder: Embedder, patience: Patience) -> Provider:
    # The SDKs are imported only where they are used: together they cost a process 80 MB and 2 s of a core.
    patience = patience.replaced(config.first_token_seconds, config.idle_seconds, config.reply_seconds)
    match config.kind:
        case "scripted":
            return ScriptedProvider(name)
        case "extractive":
            return ExtractiveProvider(embedder, name)
        case "local":
            from domain.llm.local import LocalProvider  # noqa: PLC0415

            return LocalProvider(
                config.local or LocalModel(), name=name, default_model=config.default_model, patience=patience
            )
        case "anthropic" | "gemini" | "openai_responses":
            return _spoken(config.kind)(
                name=name, api_key=config.key or "none", base_url=config.base_url,
                default_model=config.default_model, patience=patience,
            )  # fmt: skip
        case _:
            from domain.llm.openai_chat import OpenAIProvider  # noqa: PLC0415

            return OpenAIProvider(
                name=name, api_key=config.key or "none", base_url=config.base_url,
                default_model=config.default_model, patience=patience, preset=preset_of(config.kind, config.base_url),
            )  # fmt: skip


def _spoken(kind: Literal["anthropic", "gemini", "openai_responses"]) -> Callable[..., Provider]:
    if kind == "anthropic":
        from domain.llm.anthropic_messages import AnthropicProvider  # noqa: PLC0415

        return AnthropicProvider
    if kind == "gemini":
        from domain.llm.gemini import GeminiProvider  # noqa: PLC0415

        return GeminiProvider
    from domain.llm.openai_responses import ResponsesProvider  # noqa: PLC0415

    return ResponsesProvider
