"""What OpenAI's Responses API is sent. Not for reading what it answers."""

import json
from typing import Any

from domain.llm.json_schema import is_strict
from domain.llm.model import Attachment, ChatMessage, ModelRequest
from domain.llm.openai_chat_request import data_url, text_of
from domain.llm.resume import GO_ON

_LEAST_OUTPUT_TOKENS = 16
"""It refuses to be asked for fewer."""

_AS_IT_IS = {"strict": False}
"""Left out, it would be true, and most people's schemas are refused then."""


def responses_body(request: ModelRequest) -> dict[str, Any]:
    """Keyword arguments of `responses.create`."""
    body: dict[str, Any] = {
        "model": request.model,
        "input": _input(request),
        "stream": True,
        "store": False,
        "max_output_tokens": max(_LEAST_OUTPUT_TOKENS, request.max_output_tokens),
    }
    if request.instructions:
        body["instructions"] = request.instructions
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.reasoning is not None:
        body["reasoning"] = {"effort": request.reasoning}
    if request.tools:
        body["tools"] = [
            {"type": "function", "name": t.name, "description": t.description, "parameters": t.parameters, **_AS_IT_IS}
            for t in request.tools
        ]
    if request.output_schema is not None:
        schema = request.output_schema
        body["text"] = {
            "format": {"type": "json_schema", "name": "reply", "schema": schema, "strict": is_strict(schema)}
        }
    return body


def _input(request: ModelRequest) -> list[dict[str, Any]]:
    items = [item for message in request.messages for item in _items(message)]
    if request.prefix.strip():
        items += [_said("assistant", request.prefix), _said("user", GO_ON)]
    return items


def _items(message: ChatMessage) -> list[dict[str, Any]]:
    if message.role == "tool":
        return [
            {"type": "function_call_output", "call_id": message.tool_request_id or "", "output": message.text}
        ]  # fmt: skip
    if message.attachments:
        parts = [{"type": "input_text", "text": message.text}] if message.text.strip() else []
        return [
            {
                "type": "message",
                "role": "user",
                "content": [*parts, *(_part(attachment) for attachment in message.attachments)],
            }
        ]
    items: list[dict[str, Any]] = []
    if message.text or not message.tool_requests:
        items.append(_said(message.role, message.text))
    return items + [
        {"type": "function_call", "call_id": asked.id, "name": asked.name, "arguments": json.dumps(asked.arguments)}
        for asked in message.tool_requests
    ]


def _said(role: str, text: str) -> dict[str, Any]:
    """In full: llama.cpp takes an assistant's message in no shorter form."""
    if role == "assistant":
        return {"type": "message", "role": role, "content": [{"type": "output_text", "text": text}]}
    return {"type": "message", "role": role, "content": text}


def _part(attachment: Attachment) -> dict[str, Any]:
    if attachment.media_type.startswith("text/"):
        return {"type": "input_text", "text": text_of(attachment)}
    if attachment.media_type.startswith("image/"):
        return {"type": "input_image", "image_url": data_url(attachment), "detail": "auto"}
    return {"type": "input_file", "filename": attachment.name or "file", "file_data": data_url(attachment)}
