"""The model providers of one process, and which of them an agent gets. Not for talking to any of them."""

from collections.abc import Iterable

from domain.agents.config import ModelSettings
from domain.errors import ProviderRejected
from domain.knowledge.embedder import Embedder
from domain.llm.extractive import ExtractiveProvider
from domain.llm.model import Provider
from domain.llm.scripted import ScriptedProvider

_PREFERRED = ("anthropic", "openai", "extractive")


class Providers:
    """A set of providers by their name."""

    def __init__(self, providers: Iterable[Provider]) -> None:
        self._providers = {provider.name: provider for provider in providers}

    def choose(self, settings: ModelSettings) -> tuple[Provider, str]:
        """The provider and the model's name for an agent.

        What the agent's settings say; else the first present of anthropic, openai, extractive.
        Raises ProviderRejected when the agent asks for one that has no key here.
        """
        wanted = (settings.provider,) if settings.provider else _PREFERRED
        provider = next((self._providers[name] for name in wanted if name in self._providers), None)
        if provider is None:
            raise ProviderRejected(f"The model provider {wanted[0]!r} is not configured here; set its API key.")
        return provider, settings.name or provider.default_model

    async def close(self) -> None:
        """Idempotent."""
        for provider in self._providers.values():
            await provider.close()


def configured_providers(
    embedder: Embedder,
    *,
    openai_api_key: str | None = None,
    openai_base_url: str | None = None,
    openai_model: str = "gpt-4o-mini",
    anthropic_api_key: str | None = None,
    anthropic_base_url: str | None = None,
    anthropic_model: str = "claude-sonnet-4-5",
    first_token_seconds: float = 60,
    idle_seconds: float = 30,
) -> Providers:
    """The providers that these keys allow; scripted and extractive are always there.

    OpenAI is there too when only a base URL is given: a local server wants no key.
    """
    providers: list[Provider] = [ScriptedProvider(), ExtractiveProvider(embedder)]
    # The SDKs are imported only where they are used: together they cost a process 80 MB and 2 s of a core.
    if openai_api_key or openai_base_url:
        from domain.llm.openai_chat import OpenAIProvider  # noqa: PLC0415

        providers.append(
            OpenAIProvider(
                api_key=openai_api_key or "none",
                base_url=openai_base_url,
                default_model=openai_model,
                first_token_seconds=first_token_seconds,
                idle_seconds=idle_seconds,
            )
        )
    if anthropic_api_key:
        from domain.llm.anthropic_messages import AnthropicProvider  # noqa: PLC0415

        providers.append(
            AnthropicProvider(
                api_key=anthropic_api_key,
                base_url=anthropic_base_url,
                default_model=anthropic_model,
                first_token_seconds=first_token_seconds,
                idle_seconds=idle_seconds,
            )
        )
    return Providers(providers)
