"""Begin: store the customer's messages and open the turn."""

from temporalio import activity

from activities.errors import domain_errors
from contracts.turn import BeginInput, Begun
from db.engine import Database
from domain.conversations import turn_store


class Begin:
    def __init__(self, database: Database) -> None:
        self._database = database

    @activity.defn(name="begin")
    @domain_errors()
    async def begin(self, input: BeginInput) -> Begun:
        """Idempotent by message and turn id. Readers see the messages as soon as it commits."""
        return Begun(number=await turn_store.begin(self._database, input))
