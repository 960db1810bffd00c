"""What is said about summarising the older part of a conversation, in the background of its turns."""

from typing import Literal
from uuid import UUID

from contracts.model import Contract


class SummariseInput(Contract):
    """upto: the last message that the summary is to cover, counted from 1."""

    org_id: UUID
    conversation_id: UUID
    agent_version_id: UUID
    upto: int


class Summarised(Contract):
    """upto: how far it came; less than asked for means that there is more to do. written_by None: nothing to do."""

    upto: int
    written_by: Literal["extractive", "model"] | None = None
