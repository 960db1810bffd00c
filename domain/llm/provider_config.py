"""What a named model provider is made from: its kind, its address, its key. Not for talking to it."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator

from domain.llm.local_model import LocalModel

ProviderName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
"""What policies, agents, the ledger and metrics call a provider by. One kind may be there under several names."""

ProviderKind = Literal[
    "openai",
    "openai_responses",
    "openai_compatible",
    "deepseek",
    "perplexity",
    "anthropic",
    "gemini",
    "local",
    "extractive",
    "scripted",
]
"""openai is Chat Completions. openai_compatible is any other server that speaks it: vLLM, Ollama, llama.cpp.
local is a model that Everturn itself runs, from a GGUF file."""

_NO_KEY: frozenset[ProviderKind] = frozenset({"openai_compatible", "local", "extractive", "scripted"})

DEFAULT_MODEL: dict[ProviderKind, str] = {
    "openai": "gpt-4o-mini",
    "openai_responses": "gpt-4o-mini",
    "deepseek": "deepseek-chat",
    "perplexity": "sonar",
    "anthropic": "claude-sonnet-5-5",
    "gemini": "gemini-3.8-flash",
    "local": "local",
    "extractive": "extractive",
    "scripted": "scripted",
}


class ProviderConfig(BaseModel):
    """One entry of EVERTURN_PROVIDERS. Keys it does not know are refused.

    model: of agents and candidates that name none. region: where it works, for policies that care. max_concurrent:
    calls at the same time, in one process; the rest wait. The seconds: how long it may be silent before and after
    its first words, and how long one reply may take in all; None takes the process's setting. local: what a provider
    of that kind runs, and how.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: ProviderKind
    base_url: Annotated[str, StringConstraints(pattern=r"^https?://\S+$")] | None = None
    api_key: SecretStr | None = None
    model: Annotated[str, StringConstraints(min_length=1, max_length=120)] | None = None
    region: Annotated[str, StringConstraints(min_length=1, max_length=40)] | None = None
    max_concurrent: Annotated[int, Field(ge=1, le=10_000)] | None = None
    first_token_seconds: Annotated[float, Field(gt=0)] | None = None
    idle_seconds: Annotated[float, Field(gt=0)] | None = None
    reply_seconds: Annotated[float, Field(gt=0)] | None = None
    local: LocalModel | None = None

    @model_validator(mode="after")
    def _can_be_reached(self) -> "ProviderConfig":
        if self.kind == "openai_compatible" and not (self.base_url and self.model):
            raise ValueError("a provider of kind 'openai_compatible' wants a base_url and a model")
        if self.local is not None and self.kind != "local":
            raise ValueError("only a provider of kind 'local' has a local model")
        if self.kind not in _NO_KEY and not (self.key or self.base_url):
            raise ValueError(f"a provider of kind {self.kind!r} wants an api_key, or a base_url of your own")
        return self

    @property
    def key(self) -> str | None:
        """The API key in clear; None where there is none, or an empty one."""
        return self.api_key.get_secret_value() or None if self.api_key else None

    @property
    def default_model(self) -> str:
        return self.model or DEFAULT_MODEL[self.kind]
