"""How things are named in Temporal: workflow ids, and the fence that orders who may speak.

Not for random ids: those are made with `uuid`, outside of workflows.
"""

from uuid import UUID, uuid5

FENCE_ATTEMPT_BITS = 12
FENCE_STEP_BITS = 12
_ATTEMPT_MAX = (1 << FENCE_ATTEMPT_BITS) - 1
_STEP_MAX = (1 << FENCE_STEP_BITS) - 1


def conversation_workflow_id(conversation_id: UUID) -> str:
    """The id of the one workflow that writes a conversation."""
    return f"conversation/{conversation_id}"


def turn_workflow_id(turn_id: UUID) -> str:
    """The id of a one-shot turn, for callers without a conversation."""
    return f"turn/{turn_id}"


def turn_id(first_message_id: UUID) -> UUID:
    """The turn that takes up a message, or a burst that begins with it: the same however often it is begun."""
    return uuid5(first_message_id, "turn")


def ingest_workflow_id(document_id: UUID) -> str:
    """The id of the one workflow that ingests a document."""
    return f"ingest/{document_id}"


def crawl_workflow_id(source_id: UUID) -> str:
    """The id of the one workflow that reads a source, and of its schedule."""
    return f"crawl/{source_id}"


def summary_workflow_id(conversation_id: UUID) -> str:
    """The id of the one workflow that summarises the older part of a conversation."""
    return f"summary/{conversation_id}"


def fence(turn_number: int, step: int, attempt: int) -> int:
    """The right to speak in a conversation, as one number that only grows.

    Ordered by turn, then by the step inside the turn, then by Temporal's attempt at that step.
    The event log takes text only from the highest fence it has seen, so a worker that was
    thought dead can never write over its successor. Fits a Postgres bigint: 2**39 turns.
    """
    return (
        (turn_number << (FENCE_STEP_BITS + FENCE_ATTEMPT_BITS))
        | (min(step, _STEP_MAX) << FENCE_ATTEMPT_BITS)
        | min(attempt, _ATTEMPT_MAX)
    )


def closing_fence(turn_number: int) -> int:
    """The highest fence of a turn: after it, nothing of that turn is taken any more."""
    return fence(turn_number, _STEP_MAX, _ATTEMPT_MAX)
