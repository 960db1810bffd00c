"""The JSON Schema that an agent's replies have to fit. Not for checking a reply: that is `domain/llm/structured.py`."""

from typing import Annotated, Any

import jsonschema_rs
from pydantic import AfterValidator
from pydantic_core import PydanticCustomError


def _object_schema(schema: dict[str, Any]) -> dict[str, Any]:
    try:
        jsonschema_rs.validator_for(schema, offline=True)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        raise PydanticCustomError(
            "output_schema", "not a valid JSON Schema: {why}", {"why": str(error).splitlines()[0][:200]}
        ) from error
    if schema.get("type") != "object":
        raise PydanticCustomError("output_schema", "a reply is one JSON object: the schema's type must be 'object'")
    return schema


OutputSchema = Annotated[dict[str, Any], AfterValidator(_object_schema)]
"""A valid JSON Schema of type object, refused otherwise when the agent is saved. It may refer only to itself."""
