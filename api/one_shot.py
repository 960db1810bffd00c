"""A turn for a caller without a conversation: lay down its history, and say what is to be run."""

from collections.abc import Sequence
from uuid import UUID, uuid5

from sqlmodel.ext.asyncio.session import AsyncSession

from contracts.turn import AttachmentRef, IncomingMessage, OneShotInput, TurnRef
from domain.agents.store import CurrentAgent
from domain.conversations import store
from domain.conversations.store import GivenLine


def turn_id_of(conversation_id: UUID) -> UUID:
    """The one turn of a conversation that has only one."""
    return uuid5(conversation_id, "turn")


def input_of(
    org_id: UUID,
    conversation_id: UUID,
    agent_version_id: UUID,
    text: str,
    api_key_id: UUID,
    attachments: Sequence[AttachmentRef] = (),
) -> OneShotInput:
    """What the turn workflow is given; its ids follow from the conversation's, so a repeat is the same turn.

    api_key_id: whose spending the turn is. attachments: kept before it is started.
    """
    turn_id = turn_id_of(conversation_id)
    message = IncomingMessage(
        id=uuid5(turn_id, "message"), text=text, api_key_id=api_key_id, attachments=list(attachments)
    )
    return OneShotInput(
        ref=TurnRef(org_id=org_id, conversation_id=conversation_id, turn_id=turn_id, agent_version_id=agent_version_id),
        messages=[message],
    )


async def lay_down(
    session: AsyncSession,
    conversation_id: UUID,
    agent: CurrentAgent,
    history: Sequence[GivenLine],
    text: str,
    *,
    api_key_id: UUID,
    labels: dict[str, str] | None = None,
    attachments: Sequence[AttachmentRef] = (),
) -> OneShotInput:
    """Store everything said before `text`; the turn itself stores `text`."""
    org_id = agent.agent.org_id
    await store.create_one_shot(
        session, conversation_id, org_id, agent.agent.id, agent.version.id, history=history, labels=labels
    )
    return input_of(org_id, conversation_id, agent.version.id, text, api_key_id, attachments)
