"""A JSON Schema that a reply has to fit: how to ask for it. Not for checking the reply, see `structured`."""

import json
from typing import Any

_NOT_STRICT = {"oneOf", "allOf", "not", "if", "then", "else", "patternProperties", "dependentRequired", "prefixItems"}


def is_strict(schema: dict[str, Any]) -> bool:
    """Whether OpenAI takes it as `strict`: an object at its root, and every object closed with all of it required.

    Others are still asked for, as a wish; the answer is checked in either case.
    """
    return schema.get("type") == "object" and _is_strict(schema)


def _is_strict(node: Any) -> bool:
    if isinstance(node, list):
        return all(_is_strict(each) for each in node)
    if not isinstance(node, dict):
        return True
    if _NOT_STRICT & node.keys():
        return False
    properties = node.get("properties")
    if node.get("type") == "object" or isinstance(properties, dict):
        named = properties if isinstance(properties, dict) else {}
        if node.get("additionalProperties") is not False or set(node.get("required", ())) != set(named):
            return False
        return all(_is_strict(each) for each in named.values())
    return all(_is_strict(each) for key, each in node.items() if key not in {"enum", "const", "default", "examples"})


def schema_in_words(schema: dict[str, Any]) -> str:
    """An instruction for models whose server cannot be given a schema."""
    return (
        "Reply with one JSON value and nothing else: no introduction, no code fence. It must fit this JSON Schema:\n"
        + json.dumps(schema, ensure_ascii=False)
    )
