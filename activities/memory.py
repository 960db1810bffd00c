"""What a reply knows of what was said before, and who is asked to summarise what it does not read any more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import structlog
from temporalio import activity
from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDConflictPolicy
from temporalio.service import RPCError

from contracts import ids, options, queues, search
from contracts.conversation import MAX_MESSAGE_CHARS
from contracts.summary import SummariseInput
from contracts.turn import TurnRef
from db.engine import Database
from domain.agents.config import AgentConfig
from domain.conversations import summary_store
from domain.conversations.turn_store import SpokenLine
from domain.guard.guard import check_incoming
from domain.llm.model import ChatMessage
from domain.llm.window import LEFT_OUT, Window, surely_fits

# The same earlier messages come with every turn of a conversation; the check of twenty costs 3 ms.
_checked_before = lru_cache(maxsize=4096)(check_incoming)

_MOST_CHARS_PER_TOKEN = 8
"""English has 5."""

_ASK_SECONDS = 2.0
"""The answer is there; its end does not wait for a server that is away. The next turn asks again."""

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Recalled:
    """history: what the model reads, of which the first message is number `start` of the conversation. summary: of the
    messages up to number `upto`. wanted: the message up to which a summary is wanted, 0 for none. lasts: there may be
    further turns that can read it.
    """

    history: Sequence[ChatMessage] = ()
    start: int = 1
    summary: str = ""
    upto: int = 0
    wanted: int = 0
    lasts: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)


async def recall(
    database: Database, ref: TurnRef, config: AgentConfig, said: Sequence[SpokenLine], window: Window
) -> Recalled:
    """said: the last messages, at most `history_messages`. Asks the database only where more was said than that, or
    than half of the window holds, or where the agent has variables.
    """
    read = _readable(said, window)
    history = _guarded(read, config)
    today = {"today": datetime.now(UTC).date().isoformat()}
    cut = config.history_messages and len(said) >= config.history_messages
    narrow = not surely_fits([line.text for line in said], len(said), window.tokens // 2)
    if not (cut or narrow or config.variables):
        return Recalled(history, variables=today)
    known = await summary_store.remembered(database, ref)
    first = max(1, known.last - len(read) + 1)
    aligned = _aligned(known.last, config.history_messages) if known.last > len(said) else 0
    wished = config.history_summary != "off" and bool(said)
    upto = known.upto if wished else 0
    start = max(first, (upto or aligned) + 1)
    if not upto:  # some models take no reply before the first question; a summary goes before it as one
        while start > 1 and start - first < len(history) and history[start - first].role != "user":
            start += 1
    return Recalled(
        history[start - first :],
        start,
        known.summary if upto else "",
        upto,
        max(aligned, first - 1 if len(read) < len(said) else 0),
        wished and known.lasts,
        {**{name: str(value) for name, value in known.labels.items()}, **today},
    )


async def keep_up(ref: TurnRef, recalled: Recalled, dropped: int) -> None:
    """Have summarised what this turn's model did not read any more, `dropped` messages of its history among it.

    Never fails: the turn has its answer.
    """
    wanted = max(recalled.wanted, recalled.start + dropped - 1 if dropped else 0)
    if not recalled.lasts or wanted <= recalled.upto:
        return
    asked = SummariseInput(
        org_id=ref.org_id,
        conversation_id=ref.conversation_id,
        agent_version_id=ref.agent_version_id,
        upto=wanted,
    )
    try:
        await activity.client().start_workflow(
            "SummariseWorkflow",
            asked,
            id=ids.summary_workflow_id(ref.conversation_id),
            task_queue=queues.INGEST,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            task_timeout=options.TASK_TIMEOUT,
            static_summary=f"Summarise messages up to {wanted}",
            priority=options.ingest_priority(ref.org_id, 0),
            search_attributes=TypedSearchAttributes([SearchAttributePair(search.ORG_ID, str(ref.org_id))]),
            rpc_timeout=timedelta(seconds=_ASK_SECONDS),
        )
    except RPCError as error:
        _log.warning("summary_not_asked_for", conversation_id=str(ref.conversation_id), because=error.status.name)


def _readable(said: Sequence[SpokenLine], window: Window) -> list[SpokenLine]:
    """The last messages that the window may hold, each no longer than a message may be: a caller who brings the
    history along may bring megabytes, and the guard looks at every character of what is read.
    """
    left, read = window.tokens * _MOST_CHARS_PER_TOKEN, list[SpokenLine]()
    for line in reversed(said):
        over = len(line.text) - MAX_MESSAGE_CHARS
        half = MAX_MESSAGE_CHARS // 2
        text = f"{line.text[:half]}{LEFT_OUT}{line.text[-half:]}" if over > 0 else line.text
        left -= len(text)
        if left < 0 and read:
            break
        read.append(SpokenLine(line.role, text))
    return read[::-1]


def _aligned(last: int, most: int) -> int:
    """The message after which history begins, when only `most` are read: it moves by a third of them at a time, so
    that the beginning of the prompt, which a provider keeps, stays the same for some turns."""
    step = max(2, most // 3)
    return max(0, (last - (most - step)) // step * step)


def _guarded(lines: Sequence[SpokenLine], config: AgentConfig) -> list[ChatMessage]:
    """Earlier messages; what the guard takes out of a new message, it takes out of an old one too."""
    history = []
    for line in lines:
        if line.role == "assistant":
            history.append(ChatMessage("assistant", line.text))
        else:
            verdict = _checked_before(line.text, config.guardrails)
            history.append(ChatMessage("user", verdict.text if verdict.text is not None else line.text))
    return history
