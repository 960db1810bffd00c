"""Reply: one model call, streamed into the event log as it is spoken."""

import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import Any

from temporalio import activity

from activities.errors import domain_errors
from activities.heartbeat import heartbeats
from activities.memory import keep_up, recall
from contracts.ids import fence
from contracts.options import PROVIDER_ATTEMPTS
from contracts.turn import LeftOut, QuotedVerdict, Reply, ReplyInput, ToolCall
from db.engine import Database
from domain.agents.version_store import AgentVersions
from domain.conversations import attachment, turn_store
from domain.conversations.log import EventLog
from domain.conversations.speech import Speech
from domain.guard.quotations import Quotations, guard_quotations
from domain.guard.streaming import OutgoingStream
from domain.knowledge.search import Knowledge
from domain.knowledge.storage import Storage
from domain.llm.fit import fit
from domain.llm.model import Exchange, Finished, ModelRequest, TextPiece
from domain.llm.prompt import build_request
from domain.models.call import CallPlace
from domain.models.reply_cache import ReplyCache
from domain.models.router import ModelRouter, Ruling
from domain.models.trail import Trail
from runtime.metrics import Metrics

_CALLS_OF_AN_ATTEMPT = 100
"""More candidates than a policy has."""


@dataclass(frozen=True, slots=True)
class _Call:
    """One prepared model call: who may be asked what, and where its words go."""

    ruling: Ruling
    trail: Trail
    request: ModelRequest
    speech: Speech
    guarded: OutgoingStream
    quoted: list[QuotedVerdict]
    keep_up: Callable[[], Awaitable[None]]
    left_out: LeftOut | None
    cache_seconds: int | None


class ReplyStep:
    def __init__(
        self,
        database: Database,
        log: EventLog,
        versions: AgentVersions,
        knowledge: Knowledge,
        router: ModelRouter,
        replies: ReplyCache,
        metrics: Metrics,
        storage: Storage,
    ) -> None:
        self._database = database
        self._log = log
        self._versions = versions
        self._knowledge = knowledge
        self._router = router
        self._replies = replies
        self._metrics = metrics
        self._storage = storage

    @activity.defn(name="reply")
    @domain_errors(provider_attempts=PROVIDER_ATTEMPTS)
    async def reply(self, input: ReplyInput) -> Reply:
        """Takes the floor, asks the model, and says what comes, checked, in order, once.

        A retry goes on after what readers have already seen. Raises Superseded when a newer attempt,
        a newer message or the end of the turn took the floor; nothing of this one is shown then.
        """
        started = time.monotonic()
        async with heartbeats():
            call = await self._prepare(input)
            finished, first_token = await self._speak(call, started)
            await call.keep_up()
        return self._account(input, call, finished, first_token)

    async def _prepare(self, input: ReplyInput) -> _Call:
        ref, attempt = input.ref, activity.info().attempt
        config = await self._versions.config(ref.org_id, ref.agent_version_id)
        settings = config.model
        ruling = await self._router.ruling(
            ref.org_id, ref.agent_version_id, settings, task=settings.task, conversation_id=ref.conversation_id
        )
        provider, model = self._router.expected(ruling)
        found = await self._knowledge.passages(ref.org_id, input.passages, neighbours=config.retrieval.neighbours)
        read = guard_quotations(found, input.tool_results, config.guardrails)
        right = fence(input.number, input.step, attempt)
        floor = await turn_store.take_floor(
            self._database,
            ref,
            right=right,
            place=_place(input),
            passages=None if input.said or input.tool_results else read.passages,
            history_messages=config.history_messages,
            announce=_announcement(input, provider, model, input.tried + attempt),
        )
        speech = Speech(self._log, ref, right, said=input.said, shown=floor.shown)
        window = self._router.window(ruling)
        recalled = await recall(self._database, ref, config, floor.history, window)
        exchange = Exchange(
            text=input.text,
            history=recalled.history,
            passages=read.passages,
            tool_results=read.tool_results,
            said=input.said,
            language=input.route.language,
            searched=input.searched,
            summary=recalled.summary,
            history_start=recalled.start,
            attachments=tuple(await attachment.read(self._storage, ref.org_id, ref.conversation_id, input.attachments)),
        )
        request = build_request(
            config,
            exchange,
            model=model,
            prefix=speech.text,
            attempt=input.tried + attempt,
            tools_allowed=input.tools_allowed and _rounds(input) < config.max_tool_rounds,
            variables=recalled.variables,
        )
        guarded = OutgoingStream(config.guardrails, _grounded(input, read, floor.history))
        place = CallPlace(
            ref.org_id, _place(input), ruling.task, ref.turn_id, ref.conversation_id, floor.agent_id, floor.api_key_id
        )
        # Numbers of an attempt's own: one that was thought dead may still be calling.
        trail = Trail(place, attempt, max(floor.calls, (input.tried + attempt - 1) * _CALLS_OF_AN_ATTEMPT))
        left_out = fit(request, window).left_out
        keeping_up = partial(keep_up, ref, recalled, left_out.history if left_out else 0)
        return _Call(
            ruling, trail, request, speech, guarded, read.verdicts, keeping_up, left_out, config.reply_cache_seconds
        )

    async def _speak(self, call: _Call, started: float) -> tuple[Finished, float | None]:
        first_token: float | None = None
        finished: Finished | None = None
        stream = self._replies.stream(call.trail, call.ruling, call.request, call.cache_seconds)
        async with aclosing(stream) as pieces:
            async for piece in pieces:
                if isinstance(piece, TextPiece):
                    if first_token is None:
                        first_token = time.monotonic() - started
                    call.speech.say(call.guarded.feed(piece.text))
                else:
                    finished = piece
                    # Said now: the log commits it while the ledger settles the call.
                    call.speech.say(call.guarded.finish())
        assert finished is not None, "every stream ends with Finished"
        await call.speech.heard()
        return finished, first_token

    def _account(self, input: ReplyInput, call: _Call, finished: Finished, first_token: float | None) -> Reply:
        trail = call.trail
        assert trail.answer is not None, "who finished has answered"
        if first_token is not None:
            self._metrics.first_token_seconds.observe(first_token)
        return Reply(
            text=call.speech.added,
            tool_calls=[
                ToolCall(key=f"{input.step}.{index}", name=asked.name, arguments=asked.arguments)
                for index, asked in enumerate(finished.tool_requests)
            ],
            finish=finished.finish,
            provider=trail.answer.provider,
            model=trail.answer.model,
            usage=finished.usage,
            cost_micros=trail.cost_micros,
            first_token_ms=None if first_token is None else first_token * 1000,
            attempt=input.tried + activity.info().attempt,
            step=input.step,
            quoted=call.quoted,
            tried=trail.tried,
            because=trail.because,
            left_out=call.left_out,
        )


def _place(input: ReplyInput) -> str:
    """The step in the ledger, the same in every attempt."""
    return f"{input.ref.turn_id}.{input.step}"


def _announcement(input: ReplyInput, provider: str, model: str, attempt: int) -> dict[str, Any]:
    return {
        "attempt": attempt,
        "call": _rounds(input),
        "provider": provider,
        "model": model,
        "language": input.route.language,
        "intent": input.route.intent,
        "passages": len(input.passages),
        "searched": input.searched,
    }


def _rounds(input: ReplyInput) -> int:
    """Model calls of this turn that asked for tools: their keys begin with their step."""
    return len({result.key.partition(".")[0] for result in input.tool_results})


def _grounded(input: ReplyInput, read: Quotations, history: list[turn_store.SpokenLine]) -> list[str]:
    """Texts whose addresses and numbers may be said: the evidence, the tools, the customer's own words."""
    return [
        *(passage.text for passage in read.passages),
        *(result.content for result in read.tool_results),
        *(line.text for line in history if line.role == "user"),
        input.text,
    ]
