"""Give turns that nobody runs back to their conversation."""

from datetime import timedelta
from uuid import UUID

from temporalio import activity
from temporalio.client import Client, WithStartWorkflowOperation, WorkflowUpdateFailedError
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDConflictPolicy

from activities.heartbeat import heartbeats
from contracts import ids, queues, search
from contracts.conversation import ConversationInput, MessageAccepted, PostMessage
from contracts.maintenance import MaintenanceInput, Resumed
from contracts.options import TASK_TIMEOUT
from db.engine import Database
from domain.auth.org_store import list_orgs
from domain.conversations.stranded_store import StrandedTurn, stranded_turns

_QUIET = timedelta(minutes=2)
"""A turn takes seconds; a reasoning model's may take longer, and being given what it has changes nothing."""

_MOST = 100
"""Turns of an organisation that are looked at in one run; the next one comes in a minute."""


class StrandedTurns:
    def __init__(self, database: Database) -> None:
        self._database = database

    @activity.defn(name="resume_turns")
    async def resume_turns(self, input: MaintenanceInput) -> Resumed:
        """Posts the messages of turns that run for long to their conversations again. Idempotent.

        A worker stores a message before Temporal has its update for good; when both die in between and the
        customer does not ask again, nobody else would (docs/decisions/0007).
        """
        posted = 0
        async with heartbeats():
            for org_id in await list_orgs(self._database):
                async with self._database.transaction(org_id) as connection:
                    turns = await stranded_turns(connection, _QUIET, _MOST)
                for turn in turns:
                    posted += await _post(activity.client(), org_id, turn)
        return Resumed(messages=posted)


async def _post(client: Client, org_id: UUID, turn: StrandedTurn) -> int:
    posted = 0
    for message in turn.messages:
        try:
            await client.execute_update_with_start_workflow(
                "post_message",
                PostMessage(message=message),
                start_workflow_operation=_conversation(org_id, turn),
                id=message.client_key or str(message.id),
                result_type=MessageAccepted,
            )
        except WorkflowUpdateFailedError:  # the conversation closes or its inbox is full: it works, and looks itself
            continue
        posted += 1
    return posted


def _conversation(org_id: UUID, turn: StrandedTurn) -> "WithStartWorkflowOperation[object, object]":
    attributes = [
        SearchAttributePair(search.ORG_ID, str(org_id)),
        SearchAttributePair(search.STATE, "running"),
        SearchAttributePair(search.AGENT_VERSION_ID, str(turn.agent_version_id)),
    ]
    return WithStartWorkflowOperation(
        "ConversationWorkflow",
        ConversationInput(org_id=org_id, conversation_id=turn.conversation_id, agent_version_id=turn.agent_version_id),
        id=ids.conversation_workflow_id(turn.conversation_id),
        task_queue=queues.TURNS,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        task_timeout=TASK_TIMEOUT,
        search_attributes=TypedSearchAttributes(attributes),
        static_summary="Conversation: one writer for all its turns",
    )
