"""What Gemini is sent: contents and a configuration in its own types. Not for reading what it answers."""

from google.genai import types

from domain.llm.model import Attachment, ChatMessage, ModelRequest, Reasoning
from domain.llm.resume import GO_ON

_BUDGETS: dict[Reasoning, int] = {"none": 0, "low": 1024, "medium": 8192, "high": 24_576}
"""Tokens, for the models of generation 2, which know no levels. The provider's own values for these words."""

_LEVELS: dict[Reasoning, types.ThinkingLevel] = {
    "none": types.ThinkingLevel.MINIMAL,
    "low": types.ThinkingLevel.LOW,
    "medium": types.ThinkingLevel.MEDIUM,
    "high": types.ThinkingLevel.HIGH,
}

_PRO_LEAST_BUDGET = 128
"""The larger models of generation 2 refuse not to think."""

_NO_SIGNATURE = b"skip_thought_signature_validator"
"""What the provider documents for calls whose signature is not kept; without one, generation 3 refuses the history."""


def config_of(request: ModelRequest) -> types.GenerateContentConfig:
    """Everything but the conversation."""
    config = types.GenerateContentConfig(
        system_instruction=request.instructions or None,
        temperature=request.temperature,
        max_output_tokens=request.max_output_tokens,
        # Tools are called by the turn, and one request is one call.
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        automatic_continuation=False,
    )
    if request.tools:
        config.tools = [
            types.Tool(
                function_declarations=[
                    types.FunctionDeclaration(
                        name=tool.name, description=tool.description, parameters_json_schema=tool.parameters
                    )
                    for tool in request.tools
                ]
            )
        ]
    if request.output_schema is not None:
        config.response_mime_type = "application/json"
        config.response_json_schema = request.output_schema
    if request.reasoning is not None:
        config.thinking_config = _thinking(request.model, request.reasoning)
    return config


def _thinking(model: str, reasoning: Reasoning) -> types.ThinkingConfig:
    if not model.startswith("gemini-2"):
        return types.ThinkingConfig(thinking_level=_LEVELS[reasoning])
    least = _PRO_LEAST_BUDGET if "pro" in model else 0
    return types.ThinkingConfig(thinking_budget=max(least, _BUDGETS[reasoning]))


def contents_of(request: ModelRequest) -> list[types.Content]:
    """The conversation; messages of one side in a row are one content, as its rules want them."""
    names = {asked.id: asked.name for message in request.messages for asked in message.tool_requests}
    contents: list[types.Content] = []
    for message in request.messages:
        _add(contents, "model" if message.role == "assistant" else "user", _parts(message, names))
    if request.prefix.strip():
        _add(contents, "model", [types.Part(text=request.prefix)])
        _add(contents, "user", [types.Part(text=GO_ON)])
    return contents


def _add(contents: list[types.Content], role: str, parts: list[types.Part]) -> None:
    if not parts:
        return
    if contents and contents[-1].role == role:
        contents[-1].parts = [*(contents[-1].parts or ()), *parts]
    else:
        contents.append(types.Content(role=role, parts=parts))


def _parts(message: ChatMessage, names: dict[str, str]) -> list[types.Part]:
    if message.role == "tool":
        asked_as = message.tool_request_id or ""
        answer = types.FunctionResponse(
            id=asked_as, name=names.get(asked_as, asked_as), response={"result": message.text}
        )
        return [types.Part(function_response=answer)]
    parts = [types.Part(text=message.text)] if message.text.strip() else []
    parts += [_inline(attachment) for attachment in message.attachments]
    return parts + [
        types.Part(
            function_call=types.FunctionCall(id=asked.id, name=asked.name, args=asked.arguments),
            thought_signature=_NO_SIGNATURE,
        )
        for asked in message.tool_requests
    ]


def _inline(attachment: Attachment) -> types.Part:
    return types.Part(inline_data=types.Blob(mime_type=attachment.media_type, data=attachment.data))
