"""What a server of Chat Completions is sent. Not for reading what it answers."""

import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from domain.errors import ProviderRejected
from domain.llm.json_schema import is_strict, schema_in_words
from domain.llm.model import Attachment, ChatMessage, ModelRequest
from domain.llm.preset import Preset
from domain.llm.resume import GO_ON

_SCHEMA_NAME = "reply"


def chat_body(request: ModelRequest, preset: Preset) -> dict[str, Any]:
    """Keyword arguments of `chat.completions.create`. Raises ProviderRejected for tools where there are none."""
    if request.tools and not preset.tools:
        raise ProviderRejected("This provider's models call no tools.")
    body: dict[str, Any] = {
        "model": request.model,
        "messages": _messages(request, preset),
        "stream": True,
        "stream_options": {"include_usage": True},
        preset.limit: request.max_output_tokens,
    }
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.tools:
        body["tools"] = [
            {"type": "function", "function": {"name": t.name, "description": t.description, "parameters": t.parameters}}
            for t in request.tools
        ]
    if request.output_schema is not None:
        body["response_format"] = _format(request.output_schema, preset)
    own = _own_fields(request, preset)
    return body | ({"extra_body": own} if own else {})


def _own_fields(request: ModelRequest, preset: Preset) -> dict[str, Any]:
    """What the SDK has no name for, or would not take from every server."""
    own: dict[str, Any] = {}
    if request.reasoning is not None and preset.thinking == "effort":
        own["reasoning_effort"] = request.reasoning
    if request.reasoning is not None and preset.thinking == "switch":
        # Its thoughts must come back with a tool's result, and nobody keeps them from one call to the next.
        thinks = request.reasoning != "none" and all(message.role != "tool" for message in request.messages)
        own["thinking"] = {"type": "enabled" if thinks else "disabled"}
    if preset.searches and request.passages:
        own["disable_search"] = True  # its [1] would be a web page, and the passage's [1] is meant
    return own


def _format(schema: dict[str, Any], preset: Preset) -> dict[str, Any]:
    if preset.schema == "object":
        return {"type": "json_object"}
    return {
        "type": "json_schema",
        "json_schema": {"name": _SCHEMA_NAME, "schema": schema, "strict": is_strict(schema)},
    }


def _messages(request: ModelRequest, preset: Preset) -> list[dict[str, Any]]:
    instructions = request.instructions
    if request.output_schema is not None and preset.schema == "object":
        instructions = f"{instructions}\n\n{schema_in_words(request.output_schema)}".strip()
    messages: list[dict[str, Any]] = [{"role": "system", "content": instructions}] if instructions else []
    spoken = _without_tools(request) if not preset.tools else request.messages
    messages += [_message(message) for message in spoken]
    if request.prefix.strip():
        messages += [{"role": "assistant", "content": request.prefix}, {"role": "user", "content": GO_ON}]
    return list(_alternating(messages)) if preset.alternates else messages


def _message(message: ChatMessage) -> dict[str, Any]:
    if message.role == "tool":
        return {"role": "tool", "tool_call_id": message.tool_request_id or "", "content": message.text}
    if message.tool_requests:
        calls = [
            {"id": r.id, "type": "function", "function": {"name": r.name, "arguments": json.dumps(r.arguments)}}
            for r in message.tool_requests
        ]
        return {"role": "assistant", "content": message.text or None, "tool_calls": calls}
    if message.attachments:
        parts = [{"type": "text", "text": message.text}] if message.text.strip() else []
        return {"role": "user", "content": [*parts, *(_part(attachment) for attachment in message.attachments)]}
    return {"role": message.role, "content": message.text}


def _part(attachment: Attachment) -> dict[str, Any]:
    if attachment.media_type.startswith("text/"):
        return {"type": "text", "text": text_of(attachment)}
    if attachment.media_type.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": data_url(attachment)}}
    return {"type": "file", "file": {"filename": attachment.name or "file", "file_data": data_url(attachment)}}


def text_of(attachment: Attachment) -> str:
    """A text under its name: as a file, few servers read anything but PDF."""
    text = attachment.data.decode("utf-8", "replace")
    return f"{attachment.name}:\n{text}" if attachment.name else text


def data_url(attachment: Attachment) -> str:
    """The attachment itself as a URL."""
    return f"data:{attachment.media_type};base64,{b64encode(attachment.data).decode()}"


def _without_tools(request: ModelRequest) -> Iterator[ChatMessage]:
    """The same conversation for a model that knows no tools: what they answered was said by the user."""
    names = {asked.id: asked.name for message in request.messages for asked in message.tool_requests}
    for message in request.messages:
        if message.role == "tool":
            name = names.get(message.tool_request_id or "", "a tool")
            yield ChatMessage("user", f"The answer of {name}:\n{message.text}")
        elif message.text.strip() or message.attachments:
            yield ChatMessage(message.role, message.text, attachments=message.attachments)


def _alternating(messages: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """After the system's, a user's message and then by turns; what stands in a row is put together."""
    last: dict[str, Any] | None = None
    for message in messages:
        if message["role"] == "system":
            yield message
        elif last is None:
            last = message if message["role"] == "user" else None
        elif last["role"] != message["role"]:
            yield last
            last = message
        else:
            last = {**last, "content": _together(last["content"], message["content"])}
    if last is not None:
        yield last


def _together(one: str | list[Any], other: str | list[Any]) -> str | list[Any]:
    if isinstance(one, str) and isinstance(other, str):
        return f"{one}\n\n{other}"
    both = (one, other)
    return [part for each in both for part in ([{"type": "text", "text": each}] if isinstance(each, str) else each)]
