"""Which images and files came with which message. Not for their bytes: see `attachment.py`."""

from collections.abc import Sequence
from uuid import UUID

from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from contracts.turn import AttachmentRef
from db.engine import Database
from db.tables.attachments import MessageAttachment
from domain.errors import NotFound


async def record(
    database: Database, org_id: UUID, conversation_id: UUID, message_id: UUID, refs: Sequence[AttachmentRef]
) -> None:
    """Note what comes with a message that is about to be posted. Idempotent; no round trip for none."""
    if not refs:
        return
    async with database.transaction(org_id) as connection:
        await connection.executemany(
            """INSERT INTO message_attachments
                 (org_id, message_id, position, conversation_id, name, media_type, size, sha256)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING""",
            [
                (org_id, message_id, position, conversation_id, ref.name, ref.media_type, ref.size, ref.sha256)
                for position, ref in enumerate(refs, 1)
            ],
        )


async def of_messages(session: AsyncSession, message_ids: Sequence[UUID]) -> dict[UUID, list[MessageAttachment]]:
    """By message, in their order; messages without any are not in it."""
    statement = (
        select(MessageAttachment)
        .where(col(MessageAttachment.message_id).in_(message_ids))
        .order_by(col(MessageAttachment.message_id), col(MessageAttachment.position))
    )
    found: dict[UUID, list[MessageAttachment]] = {}
    for row in (await session.exec(statement)).all():
        found.setdefault(row.message_id, []).append(row)
    return found


async def find(session: AsyncSession, conversation_id: UUID, message_id: UUID, position: int) -> MessageAttachment:
    """Raises NotFound."""
    statement = select(MessageAttachment).where(
        MessageAttachment.conversation_id == conversation_id,
        MessageAttachment.message_id == message_id,
        MessageAttachment.position == position,
    )
    row = (await session.exec(statement)).first()
    if row is None:
        raise NotFound("no such attachment")
    return row
