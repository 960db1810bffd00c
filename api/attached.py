"""Images and files that a request brings along: checked, then kept before the message they came with is posted."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from api.resources import ApiResources
from contracts.turn import AttachmentRef
from domain.conversations import attachment, attachment_store
from domain.conversations.attachment import Given


@dataclass(frozen=True, slots=True)
class Attached:
    """Of one message."""

    all: tuple[Given, ...]
    refs: tuple[AttachmentRef, ...]

    @classmethod
    def given(cls, given: Sequence[Given], *, pointer: str) -> "Attached":
        """Raises Invalid when they are too many, TooLarge when they are too large together."""
        bounded = attachment.bounded(given, pointer=pointer)
        return cls(tuple(bounded), tuple(one.ref for one in bounded))

    async def keep(self, resources: ApiResources, org_id: UUID, conversation_id: UUID, message_id: UUID) -> None:
        """Bytes first, then the rows that name them. Idempotent; no I/O for none."""
        await attachment.keep(resources.storage, org_id, conversation_id, self.all)
        await attachment_store.record(resources.database, org_id, conversation_id, message_id, self.refs)
