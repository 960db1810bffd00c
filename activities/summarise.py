"""Summarise: write down what was said in a conversation before the messages that its turns still read."""

import asyncio
from contextlib import aclosing

import structlog
from temporalio import activity

from activities.errors import domain_errors
from activities.heartbeat import heartbeats
from contracts.summary import Summarised, SummariseInput
from db.engine import Database
from domain.agents.config import AgentConfig
from domain.agents.version_store import AgentVersions
from domain.conversations import summary_store
from domain.conversations.summary_store import Unsummarised
from domain.conversations.turn_store import SpokenLine
from domain.errors import BudgetExceeded, ProviderFailure
from domain.guard.guard import check_incoming
from domain.llm.model import TextPiece
from domain.llm.summary import Said, extracted, summary_request, written
from domain.models.call import CallPlace
from domain.models.router import ModelRouter
from domain.models.trail import Trail

_WITHOUT_A_MODEL = ("extractive", "scripted")

_log = structlog.stdlib.get_logger(__name__)


class Summarise:
    def __init__(self, database: Database, versions: AgentVersions, router: ModelRouter) -> None:
        self._database = database
        self._versions = versions
        self._router = router

    @activity.defn(name="summarise")
    @domain_errors()
    async def summarise(self, input: SummariseInput) -> Summarised:
        """Idempotent: what is summarised is not summarised again. A model that fails or writes nothing is replaced by
        sentences that were said.
        """
        org_id, conversation_id = input.org_id, input.conversation_id
        async with heartbeats():
            found = await summary_store.unsummarised(self._database, org_id, conversation_id, input.upto)
            if found is None:
                return Summarised(upto=input.upto)
            config = await self._versions.config(org_id, input.agent_version_id)
            said = [await _guarded(line, config) for line in found.lines]
            text, trail = await self._by_model(input, config, found, said)
            answer = trail.answer if trail else None
            await summary_store.keep(
                self._database,
                org_id,
                conversation_id,
                found.end,
                text or extracted(found.summary, said),
                written_by="model" if text else "extractive",
                provider=answer.provider if answer and text else None,
                model=answer.model if answer and text else None,
            )
        return Summarised(upto=found.end, written_by="model" if text else "extractive")

    async def _by_model(
        self, input: SummariseInput, config: AgentConfig, found: Unsummarised, said: list[Said]
    ) -> tuple[str, Trail | None]:
        """An empty text when the agent has no model, or it gives none."""
        if config.history_summary != "model":
            return "", None
        ruling = await self._router.ruling(
            input.org_id,
            input.agent_version_id,
            config.model,
            task="fast",
            conversation_id=input.conversation_id,
        )
        if self._router.expected(ruling)[0] in _WITHOUT_A_MODEL:
            return "", None
        info = activity.info()
        # A later run may meet the same stretch again: each attempt of each run is a call of its own.
        key = f"summary.{input.conversation_id}.{found.end}.{info.workflow_run_id}.{info.attempt}"
        place = CallPlace(input.org_id, key, "fast", conversation_id=input.conversation_id, agent_id=found.agent_id)
        trail, text = Trail(place, info.attempt, 0), ""
        try:
            async with aclosing(self._router.stream(trail, ruling, summary_request(found.summary, said))) as pieces:
                async for piece in pieces:
                    text += piece.text if isinstance(piece, TextPiece) else ""
        except (ProviderFailure, BudgetExceeded) as error:
            _log.info("summary_without_a_model", because=error.code, conversation_id=str(input.conversation_id))
            return "", trail
        return written(text), trail


async def _guarded(line: SpokenLine, config: AgentConfig) -> Said:
    """What the guard takes out of a message, it takes out of its summary too."""
    if line.role != "user":
        return Said(line.role, line.text)
    await asyncio.sleep(0)  # a long message takes it 10 ms, and hundreds of them no heartbeat should wait for
    verdict = check_incoming(line.text, config.guardrails)
    return Said(line.role, line.text if verdict.text is None else verdict.text)
