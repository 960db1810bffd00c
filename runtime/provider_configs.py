"""The model providers that the settings name: one for each key that is present, and those of EVERTURN_PROVIDERS."""

from pydantic import SecretStr

from domain.llm.provider_config import ProviderConfig, ProviderKind
from runtime.settings import Settings


def provider_configs(settings: Settings) -> dict[str, ProviderConfig]:
    """By name, in the order in which they are preferred. An entry of EVERTURN_PROVIDERS wins over a key's own.

    OpenAI is there too when only its base URL is given: a local server wants no key.
    """
    openai_url, anthropic_url = settings.openai_base_url or None, settings.anthropic_base_url or None
    found: dict[str, ProviderConfig] = {}

    def add(name: str, kind: ProviderKind, key: SecretStr | None, url: str | None, model: str | None) -> None:
        if key or (url and kind == "openai"):
            found[name] = ProviderConfig(kind=kind, api_key=key, base_url=url, model=model)

    add("anthropic", "anthropic", settings.anthropic_api_key, anthropic_url, settings.anthropic_model)
    add("openai", "openai", settings.openai_api_key, openai_url, settings.openai_model)
    add("gemini", "gemini", settings.gemini_api_key, None, None)
    add("deepseek", "deepseek", settings.deepseek_api_key, None, None)
    add("perplexity", "perplexity", settings.perplexity_api_key, None, None)
    return found | settings.providers
