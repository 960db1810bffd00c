"""Tool calls of a model that knows no tools: it is asked, by JSON schema, which one it wants."""

import json
from dataclasses import replace

from domain.errors import ProviderGarbage
from domain.llm.model import ModelRequest, ToolRequest

_NONE = "none"


def ask_for_choice(request: ModelRequest) -> ModelRequest:
    """The same question, to be answered with the tool to call or with `none`."""
    listed = "\n".join(
        f"- {tool.name}: {tool.description} Arguments: {json.dumps(tool.parameters)}" for tool in request.tools
    )
    told = (
        f"You may call one of these tools before you answer:\n{listed}\n- {_NONE}: answer without a tool.\n"
        'Reply with one JSON object: {"tool": its name, "arguments": its arguments}. '
        f'Take "{_NONE}" when no tool is needed, or when its answer is already there.'
    )
    choices = [
        _object(tool={"const": tool.name}, arguments={"type": "object", **tool.parameters}) for tool in request.tools
    ]
    return replace(
        request,
        instructions=f"{request.instructions}\n\n{told}",
        tools=(),
        temperature=0.0,
        output_schema={"anyOf": [*choices, _object(tool={"const": _NONE})]},
    )


def chosen(said: str, request: ModelRequest) -> ToolRequest | None:
    """The call that was chosen; None for no tool.

    The same call again, with its answer already there, counts as none: small models ask for it without end.
    Raises ProviderGarbage when the answer is no choice, as when it was cut off.
    """
    try:
        choice = json.loads(said)
        name, arguments = choice["tool"], choice.get("arguments", {})
    except (ValueError, TypeError, KeyError) as error:
        raise ProviderGarbage(f"The local model chose no tool, it said {said[:100]!r}.") from error
    before = [(asked.name, asked.arguments) for message in request.messages for asked in message.tool_requests]
    if name == _NONE or (name, arguments) in before:
        return None
    if name not in {tool.name for tool in request.tools} or not isinstance(arguments, dict):
        raise ProviderGarbage(f"The local model asked for a tool that is not there: {str(name)[:100]!r}.")
    return ToolRequest(f"call_{len(before)}", name, arguments)


def _object(**properties: object) -> dict[str, object]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
