"""Close: mark a conversation closed, so that no door takes another message."""

from temporalio import activity

from activities.errors import domain_errors
from contracts.conversation import CloseInput
from db.engine import Database
from domain.conversations import turn_store


class Close:
    def __init__(self, database: Database) -> None:
        self._database = database

    @activity.defn(name="close_conversation")
    @domain_errors()
    async def close_conversation(self, input: CloseInput) -> None:
        """Idempotent."""
        async with self._database.transaction(input.org_id) as connection:
            await turn_store.close(connection, input.org_id, input.conversation_id, input.reason)
