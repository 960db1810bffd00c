"""Checks what a model wants to send against the tool's own JSON Schema. Not for checking what comes back."""

from typing import Any

import jsonschema_rs

_MOST_FAULTS = 5
"""A model repairs a few faults at a time; more text only distracts it."""


def faults(parameters: dict[str, Any], arguments: dict[str, Any]) -> list[str]:
    """What is wrong with the arguments, each as one sentence for the model; empty when nothing is.

    A schema that is itself wrong is a fault too. References to other documents are never fetched.
    """
    try:
        validator = jsonschema_rs.validator_for(parameters, offline=True)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        return [f"The tool's own parameters are not a valid JSON Schema: {str(error).splitlines()[0]}"]
    found: list[str] = []
    for fault in validator.iter_errors(arguments):
        place = "/".join(str(part) for part in fault.instance_path)
        found.append(f"/{place}: {fault.message}")
        if len(found) == _MOST_FAULTS:
            break
    return found
