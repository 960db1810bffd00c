"""Interrupt: let a newer message join the turn, if its reply has not said anything yet."""

from temporalio import activity

from activities.errors import domain_errors
from contracts.turn import Interrupted, InterruptInput
from db.engine import Database
from domain.conversations import turn_store


class Interrupt:
    def __init__(self, database: Database) -> None:
        self._database = database

    @activity.defn(name="interrupt")
    @domain_errors()
    async def interrupt(self, input: InterruptInput) -> Interrupted:
        """The row lock of the log's head decides: either the reply spoke first, or it never speaks."""
        async with self._database.transaction(input.ref.org_id) as connection:
            silenced = await turn_store.interrupt(connection, input.ref, input.number, input.step)
        return Interrupted(silenced=silenced)
