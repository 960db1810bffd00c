"""What customers think of replies; a bad one is a gap of the collections that it was answered from."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.dependencies import Resources, needs
from api.mutation import MutationRoute, Work
from api.responses import errors
from api.texts import RequestModel
from domain.auth.principal import Principal
from domain.conversations import feedback_store
from domain.guard.guard import check_incoming
from domain.knowledge import gap_store
from domain.knowledge.gap import Gap

changes = APIRouter(prefix="/v1/messages", tags=["messages"], route_class=MutationRoute)

Writer = Annotated[Principal, needs("conversations:write")]

_QUESTION_CHARS = 2000


class NewFeedback(RequestModel):
    rating: Literal["good", "bad"]
    comment: Annotated[str, Field(max_length=4000)] = ""


class FeedbackOut(BaseModel):
    message_id: UUID
    turn_id: UUID
    rating: Literal["good", "bad"]
    comment: str
    created_at: datetime
    updated_at: datetime


@changes.post("/{message_id}/feedback", responses=errors(400, 404, 413))
async def rate_message(
    principal: Writer, work: Work, resources: Resources, message_id: UUID, new: NewFeedback
) -> FeedbackOut:
    """Rate a reply; the last rating counts. A bad one makes its question a knowledge gap, a good one takes it back."""
    org_id = principal.org_id
    rated = await feedback_store.rate(work.session, org_id, message_id, new.rating, new.comment)
    turn_id = rated.feedback.turn_id
    if new.rating == "good":
        await gap_store.withdraw(work.session, turn_id, "bad_feedback")
    else:
        question = check_incoming(rated.question, rated.config.guardrails).text or rated.question
        gap = Gap(
            await gap_store.existing(work.session, rated.evidence[:1] or rated.config.collections),
            ["bad_feedback"],
            question[:_QUESTION_CHARS],
        )
        await gap_store.note(work.session, org_id, turn_id, gap, await resources.knowledge.embedder.query(gap.question))
        for collection_id in gap.collections:
            await gap_store.gather(work.session, org_id, collection_id)
    return FeedbackOut.model_validate(rated.feedback, from_attributes=True)
