"""A reply that was paid for once, for the same request again, where the agent allows it. Not the provider's own cache.

Only requests that depend on nothing but themselves: one message, with the passages found for it, and no tool's result.
"""

import hashlib
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Protocol
from uuid import UUID

import orjson
import structlog

from contracts.turn import TriedModel, Usage
from db.engine import DATABASE_AWAY, Database
from domain.llm.model import Attachment, Finished, ModelRequest, Piece, TextPiece
from domain.models import reply_cache_store
from domain.models.call import ModelCall
from domain.models.reply_cache_store import KeptReply
from domain.models.router import ModelRouter, Ruling
from domain.models.trail import Trail

_log = structlog.stdlib.get_logger(__name__)


class CacheWatch(Protocol):
    """What is told of each look into the cache: counters of a process."""

    def reply_cached(self, saved_micros: int) -> None: ...

    def reply_not_cached(self) -> None: ...


class ReplyCache:
    def __init__(self, database: Database, router: ModelRouter, watch: CacheWatch) -> None:
        self._database = database
        self._router = router
        self._watch = watch

    def stream(
        self, trail: Trail, ruling: Ruling, request: ModelRequest, keep_seconds: int | None
    ) -> AsyncGenerator[Piece, None]:
        """As `ModelRouter.stream`; a kept reply comes in one piece, without usage, cost or a row in the ledger.

        keep_seconds: for how long a new reply may be used again; None: nothing is looked for and nothing kept.
        """
        if keep_seconds is None or not _stands_alone(request):
            return self._router.stream(trail, ruling, request)
        return self._kept_or_new(trail, ruling, request, keep_seconds)

    async def _kept_or_new(
        self, trail: Trail, ruling: Ruling, request: ModelRequest, keep_seconds: int
    ) -> AsyncGenerator[Piece, None]:
        key = request_key(request, *self._router.expected(ruling))
        kept = await self._find(trail.place.org_id, key)
        if kept is not None:
            self._watch.reply_cached(kept.cost_micros)
            _tell(trail, kept)
            yield TextPiece(kept.text)
            yield Finished("stop", Usage())
            return
        self._watch.reply_not_cached()
        said, finished = "", None
        pieces = self._router.stream(trail, ruling, request)
        try:
            async for piece in pieces:
                if isinstance(piece, Finished):
                    finished = piece
                else:
                    said += piece.text
                yield piece
        finally:
            await pieces.aclose()
        if finished is not None and said and trail.answer is not None and _is_whole(finished):
            answer = KeptReply(said, trail.answer.provider, trail.answer.model, trail.cost_micros)
            await self._keep(trail.place.org_id, key, answer, keep_seconds)

    async def _find(self, org_id: UUID, key: bytes) -> KeptReply | None:
        try:
            return await reply_cache_store.find(self._database, org_id, key)
        except DATABASE_AWAY:  # a model can still be asked
            return None

    async def _keep(self, org_id: UUID, key: bytes, reply: KeptReply, seconds: int) -> None:
        try:
            await reply_cache_store.keep(self._database, org_id, key, reply, seconds)
        except DATABASE_AWAY as error:  # the reply itself is there
            _log.warning("a reply was not kept", because=type(error).__name__)


def request_key(request: ModelRequest, provider: str, model: str) -> bytes:
    """The same for requests that any model would answer alike: everything it reads, and how it is asked."""
    read: dict[str, Any] = {
        "provider": provider,
        "model": model,
        "instructions": request.instructions,
        "messages": [[message.role, message.text, _digests(message.attachments)] for message in request.messages],
        "tools": [[tool.name, tool.description, tool.parameters] for tool in request.tools],
        "how": [request.temperature, request.max_output_tokens, request.output_schema, request.reasoning],
        "question": request.question,
        "passages": [[passage.id, passage.text] for passage in request.passages],
        "language": request.language,
        "script": request.script.model_dump(mode="json") if request.script else None,
    }
    return hashlib.sha256(orjson.dumps(read, option=orjson.OPT_SORT_KEYS)).digest()


def _digests(attachments: Sequence[Attachment]) -> list[list[str]]:
    return [[each.media_type, each.name, hashlib.sha256(each.data).hexdigest()] for each in attachments]


def _stands_alone(request: ModelRequest) -> bool:
    return len(request.messages) == 1 and not request.prefix


def _is_whole(finished: Finished) -> bool:
    return finished.finish == "stop" and not finished.tool_requests and not finished.sources


def _tell(trail: Trail, kept: KeptReply) -> None:
    trail.because = "the same request was answered before, and the agent allows that answer again"
    trail.tried.append(TriedModel(provider=kept.provider, model=kept.model, outcome="cached"))
    trail.answer = ModelCall(trail.place, 0, kept.provider, kept.model, trail.attempt)
