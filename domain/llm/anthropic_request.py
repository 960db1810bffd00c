"""What Anthropic is sent: messages in its rules, marks for its cache, and how long to think. Not for its answers."""

import re
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

from domain.errors import ProviderRejected
from domain.llm.json_schema import is_strict, schema_in_words
from domain.llm.model import Attachment, ChatMessage, ModelRequest, Reasoning
from domain.llm.resume import GO_ON

_NOT_IN_ID = re.compile(r"[^a-zA-Z0-9_-]")
_OF_BUDGETS = re.compile(r"claude-(3|[a-z]+-4-[015](\D|$)|[a-z]+-4(-\d{8})?$)")
"""Models that think by a number of tokens; later ones decide for themselves and are told how much it matters."""

_BUDGETS: dict[Reasoning, int] = {"none": 0, "low": 2048, "medium": 8192, "high": 24_576}
_LEAST_BUDGET = 1024
"""The provider takes no less."""

_KEEP = {"type": "ephemeral"}
"""Kept for five minutes since it was last read; writing costs a quarter more than reading plainly, and reading what is
kept a tenth. A customer's next message comes within minutes, a tool's result within seconds."""


def message_body(request: ModelRequest) -> dict[str, Any]:
    """Keyword arguments of `messages.create`."""
    body: dict[str, Any] = {
        "model": request.model,
        "max_tokens": request.max_output_tokens,
        "messages": _messages(request),
        "stream": True,
        **_format(request),
        **_thinking(request),
    }
    instructions = _instructions(request)
    if instructions:
        body["system"] = [{"type": "text", "text": instructions}]
    if request.temperature is not None and body.get("thinking", {"type": "disabled"})["type"] == "disabled":
        # The SDK no longer names it, but most models still take it; its scale ends at 1, the setting's at 2.
        # Whoever thinks takes none.
        body["extra_body"] = {"temperature": min(request.temperature, 1.0)}
    if request.tools:
        body["tools"] = [
            {"name": t.name, "description": t.description, "input_schema": t.parameters} for t in request.tools
        ]
    if request.cache:
        _mark(body, request)
    return body


def _mark(body: dict[str, Any], request: ModelRequest) -> None:
    """Marks up to where the next call will say the same: the agent's part, the conversation's, and that of a turn
    that goes on after a tool. What is before a mark counts with it; too little of it is not kept, and costs nothing.
    """
    if "system" in body:
        body["system"][-1]["cache_control"] = _KEEP
    elif "tools" in body:
        body["tools"][-1]["cache_control"] = _KEEP
    lasting = _merged(request.messages[: request.lasting])
    if lasting:
        body["messages"][len(lasting) - 1]["content"][len(lasting[-1]["content"]) - 1]["cache_control"] = _KEEP
    if request.tools:
        body["messages"][-1]["content"][-1]["cache_control"] = _KEEP


def _thinking(request: ModelRequest) -> dict[str, Any]:
    if request.reasoning is None:
        return {}
    if not _OF_BUDGETS.match(request.model):
        if request.reasoning == "none":
            return {"thinking": {"type": "disabled"}}
        return {"thinking": {"type": "adaptive"}, "output_config": {"effort": request.reasoning, **_schema(request)}}
    # Half of the reply at most: what is thought counts to its limit, and something must be left to say.
    budget = min(_BUDGETS[request.reasoning], request.max_output_tokens // 2)
    after_a_tool = any(message.role == "tool" for message in request.messages)
    if budget < _LEAST_BUDGET or after_a_tool:
        # Thoughts before a tool call would have to come back with its result, and nobody keeps them.
        return {}
    return {"thinking": {"type": "enabled", "budget_tokens": budget}}


def _format(request: ModelRequest) -> dict[str, Any]:
    schema = _schema(request)
    return {"output_config": schema} if schema else {}


def _schema(request: ModelRequest) -> dict[str, Any]:
    if request.output_schema is None or not is_strict(request.output_schema):
        return {}
    return {"format": {"type": "json_schema", "schema": request.output_schema}}


def _instructions(request: ModelRequest) -> str:
    if request.output_schema is None or is_strict(request.output_schema):
        return request.instructions
    return f"{request.instructions}\n\n{schema_in_words(request.output_schema)}".strip()


def _messages(request: ModelRequest) -> list[dict[str, Any]]:
    messages = _merged(request.messages)
    prefix = request.prefix.rstrip()
    if prefix:
        messages.append({"role": "assistant", "content": [{"type": "text", "text": prefix}]})
        messages.append({"role": "user", "content": [{"type": "text", "text": GO_ON}]})
    return messages


def _merged(given: Sequence[ChatMessage]) -> list[dict[str, Any]]:
    """Its rules: the customer speaks first, no empty text, and all results of one round in one message."""
    messages: list[dict[str, Any]] = []
    for message in given:
        blocks = _blocks(message)
        role = "assistant" if message.role == "assistant" else "user"
        if not blocks or (role == "assistant" and not messages):
            continue
        if messages and messages[-1]["role"] == role:
            messages[-1]["content"] += blocks
        else:
            messages.append({"role": role, "content": blocks})
    return messages


def _blocks(message: ChatMessage) -> list[dict[str, Any]]:
    if message.role == "tool":
        return [{"type": "tool_result", "tool_use_id": _id(message.tool_request_id or ""), "content": message.text}]
    # Images and files first: the provider's models read them better before the question about them.
    blocks = [_attached(attachment) for attachment in message.attachments]
    if message.text.strip():
        blocks.append({"type": "text", "text": message.text})
    return blocks + [
        {"type": "tool_use", "id": _id(asked.id), "name": asked.name, "input": asked.arguments}
        for asked in message.tool_requests
    ]


def _attached(attachment: Attachment) -> dict[str, Any]:
    """Raises ProviderRejected for what it cannot read."""
    kind, data = attachment.media_type, attachment.data
    if kind.startswith("text/"):
        source = {"type": "text", "media_type": "text/plain", "data": data.decode("utf-8", "replace")}
        return _document(source, attachment.name)
    source = {"type": "base64", "media_type": kind, "data": b64encode(data).decode()}
    if kind.startswith("image/"):
        return {"type": "image", "source": source}
    if kind != "application/pdf":
        raise ProviderRejected(f"Anthropic reads no files of type {kind}.")
    return _document(source, attachment.name)


def _document(source: dict[str, str], name: str) -> dict[str, Any]:
    return {"type": "document", "source": source, **({"title": name} if name else {})}


def _id(own: str) -> str:
    return _NOT_IN_ID.sub("_", own)
