"""Images and files that came with a message. Not their bytes: those are in object storage."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field, SQLModel

from db.tables.columns import timestamp


class MessageAttachment(SQLModel, table=True):
    """position: from 1, in the order in which they were given. size in bytes."""

    __tablename__ = "message_attachments"

    org_id: UUID = Field(primary_key=True, foreign_key="orgs.id")
    message_id: UUID = Field(primary_key=True)
    position: int = Field(primary_key=True)
    conversation_id: UUID = Field(foreign_key="conversations.id")
    name: str
    media_type: str
    size: int
    sha256: str
    created_at: datetime = timestamp()
