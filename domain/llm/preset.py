"""How servers that speak Chat Completions differ from each other. Not for their addresses of your own or their keys."""

from dataclasses import dataclass
from typing import Literal

from domain.llm.provider_config import ProviderKind


@dataclass(frozen=True, slots=True)
class Preset:
    """limit: what it calls the most output tokens. schema: whether it keeps to a JSON schema, or only to JSON.

    thinking: how it is asked to think or not; None: it cannot be. tools: whether it knows tools; without them,
    results of tools go as text. alternates: user and assistant must take turns, the user first.
    searches: it looks up the web itself, which has to be forbidden where passages are what counts.
    """

    base_url: str | None = None
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    schema: Literal["schema", "object"] = "schema"
    thinking: Literal["effort", "switch"] | None = "effort"
    tools: bool = True
    alternates: bool = False
    searches: bool = False


# Compatible servers know only the old name of the limit; OpenAI's reasoning models only the new one.
OPENAI = Preset(limit="max_completion_tokens")
COMPATIBLE = Preset()
DEEPSEEK = Preset(base_url="https://api.deepseek.com/v1", schema="object", thinking="switch")
PERPLEXITY = Preset(
    base_url="https://api.perplexity.ai", tools=False, alternates=True, searches=True
)  # its reasoning models take `reasoning_effort` too

_OF_KIND: dict[ProviderKind, Preset] = {"openai": OPENAI, "deepseek": DEEPSEEK, "perplexity": PERPLEXITY}


def preset_of(kind: ProviderKind, base_url: str | None) -> Preset:
    """The kind's own; a server under the kind `openai` that is not OpenAI's is a compatible one."""
    preset = _OF_KIND.get(kind, COMPATIBLE)
    return COMPATIBLE if preset is OPENAI and base_url and "openai.com" not in base_url else preset
