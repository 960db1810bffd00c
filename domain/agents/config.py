"""What an agent version says. Immutable once stored; a change makes the next version."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, StringConstraints, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from domain.agents.outage import OutageSettings
from domain.agents.output_schema import OutputSchema
from domain.agents.template import BUILT_IN, PromptVariable, TemplateFault, check
from domain.knowledge.filters import Filters, Reranking

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
ToolName = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z][a-zA-Z0-9_-]{0,63}$")]


class ConfigPart(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScriptedToolCall(ConfigPart):
    name: ToolName
    arguments: dict[str, Any] = {}


class Script(ConfigPart):
    """What the scripted model says: for tests and benches only, where a model must be exact.

    Each model call of a turn says the whole text, in pieces of one word; calls listed in
    `tool_calls` are asked for in the first call. `failures` names an error per attempt.
    """

    text: Annotated[str, StringConstraints(max_length=100_000)] = "This is a scripted reply."
    first_delay_ms: Annotated[float, Field(ge=0, le=60_000)] = 0
    token_delay_ms: Annotated[float, Field(ge=0, le=10_000)] = 0
    tool_calls: list[ScriptedToolCall] = []
    failures: list[Literal["unavailable", "rejected", "garbage"]] = []


class ModelSettings(ConfigPart):
    """provider: the name of one that is configured. None: the process's default (docs/settings.md).

    reasoning: how long it may think; None leaves it to the provider. output_schema: every reply is a JSON object that
    fits this JSON Schema, shown once it is whole.
    context_tokens: the model's window, question and reply together; None takes what is published of it. task: for
    which class of the policy this agent's replies ask (docs/models.md).
    """

    provider: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")] | None = None
    name: Annotated[str, StringConstraints(max_length=120)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_output_tokens: Annotated[int, Field(ge=1, le=200_000)] = 1024
    reasoning: Literal["none", "low", "medium", "high"] | None = None
    output_schema: OutputSchema | None = None
    context_tokens: Annotated[int, Field(ge=1024, le=100_000_000)] | None = None
    task: Literal["reply", "reasoning", "long_context", "fast", "experimental"] = "reply"
    script: Script | None = None


class Intent(ConfigPart):
    name: Name
    examples: Annotated[list[Annotated[str, StringConstraints(min_length=1, max_length=500)]], Field(max_length=2000)]


class HttpTool(ConfigPart):
    """One HTTP call the agent may make. Arguments go into the JSON body (or the query of a GET)."""

    name: ToolName
    description: Annotated[str, StringConstraints(max_length=2000)] = ""
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "POST"
    url: HttpUrl
    parameters: dict[str, Any] = Field(default_factory=lambda: {"type": "object", "properties": {}})
    idempotent: bool = False
    """True when the tool honours the Idempotency-Key header, so that a lost answer may be asked again."""
    timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 15
    max_response_bytes: Annotated[int, Field(gt=0, le=1_000_000)] = 64_000


class Guardrails(ConfigPart):
    """What guards do about what they find. refusal is the text a blocked turn answers with.

    injection_quoted: about orders in passages and tool results; redact takes out the sentences, block the whole text.
    """

    personal_data_in: Literal["allow", "redact", "block"] = "redact"
    personal_data_out: Literal["allow", "redact"] = "redact"
    injection: Literal["allow", "block"] = "block"
    injection_quoted: Literal["allow", "redact", "block"] = "redact"
    refusal: Annotated[str, StringConstraints(max_length=2000)] = (
        "I can't help with that request. Please rephrase it, or ask me something else."
    )


class RetrievalSettings(ConfigPart):
    """rewrite: how a follow-up becomes a question that can be searched alone; `model` asks the agent's model.

    rerank: who orders the best passages once more; `provider` is the one of the process's settings, else `local`.
    filters: the only passages this agent may find. neighbours: how many passages before and behind a found one
    the model reads with it.
    """

    limit: Annotated[int, Field(ge=1, le=20)] = 6
    min_score: Annotated[float, Field(ge=0, le=1)] = 0.0
    rewrite: Literal["off", "rules", "model"] = "rules"
    rerank: Reranking = "local"
    filters: Filters = Filters()
    neighbours: Annotated[int, Field(ge=0, le=3)] = 0


class AgentConfig(ConfigPart):
    """The whole of an agent version. extra keys are refused, so a typo never passes in silence.

    instructions may use what `variables` declares (docs/prompts.md). history_summary: who writes down what was said
    before the last `history_messages`; `model` is the agent's own, where it has one that can. reply_cache_seconds:
    how long the answer to a first message may be given again to the same one (docs/spending.md); None: never.
    """

    variables: Annotated[list[PromptVariable], Field(max_length=50)] = []
    instructions: Annotated[str, StringConstraints(max_length=40_000)] = (
        "You answer questions for customers. Use only the numbered passages; cite each fact with its "
        "number in square brackets, like [1]. Answer in the language of the question. "
        "If the passages do not answer it, say so."
    )
    model: ModelSettings = ModelSettings()
    collections: Annotated[list[UUID], Field(max_length=20)] = []
    intents: Annotated[list[Intent], Field(max_length=300)] = []
    tools: Annotated[list[HttpTool], Field(max_length=64)] = []
    guardrails: Guardrails = Guardrails()
    retrieval: RetrievalSettings = RetrievalSettings()
    outage: OutageSettings = OutageSettings()
    max_tool_rounds: Annotated[int, Field(ge=0, le=20)] = 6
    history_messages: Annotated[int, Field(ge=0, le=100)] = 20
    reply_cache_seconds: Annotated[int | None, Field(ge=1, le=2_592_000)] = None
    history_summary: Literal["off", "extractive", "model"] = "model"

    @field_validator("variables")
    @classmethod
    def _each_once(cls, variables: list[PromptVariable]) -> list[PromptVariable]:
        known = set(BUILT_IN)
        for place, variable in enumerate(variables):
            if variable.name in known:
                raise PydanticCustomError(
                    "variable_taken",
                    "the name `{name}` is taken",
                    {"name": variable.name, "pointer": f"/{place}/name"},
                )
            known.add(variable.name)
        return variables

    @field_validator("instructions")
    @classmethod
    def _can_be_filled_in(cls, instructions: str, info: ValidationInfo) -> str:
        if "variables" in info.data:
            try:
                check(instructions, info.data["variables"])
            except TemplateFault as fault:
                raise PydanticCustomError(
                    "prompt_template", "line {line}: {what}", {"line": fault.line, "what": fault.what}
                ) from None
        return instructions
