"""A tool call with exactly one side effect, however often its activity is tried. Not for choosing the tool.

What the answer to a request tells about its side effect:

- 2xx: it happened. 3xx and 4xx: it did not; the tool refused.
- 5xx: the tool, or a gateway before it, failed in the middle and does not know. Only 501 is a refusal.
- refused connection, unknown name: the request never left, so it may be tried again.
- timeout, reset, half an answer: nobody knows.

Where nobody knows, a tool that honours the Idempotency-Key (or a GET, which changes nothing) is asked again
with the same key; any other call is parked as unknown and never sent again.
"""

from uuid import UUID

from contracts.turn import ToolCall, ToolResult, ToolState
from db.engine import Database
from domain.agents.config import HttpTool
from domain.errors import ToolUnavailable
from domain.tools.arguments import faults
from domain.tools.http_tool import Answered, NeverSent, NoAnswer, ToolClient
from domain.tools.ledger_store import Ledger, idempotency_key

LAST_ATTEMPT = 5
"""From this attempt on the model is told instead of trying again; one below the limit in contracts/options.py (ACT),
so that a turn hears of a dead tool (after 6 s of trying) and never fails for it."""

UNKNOWN = (
    "It is not known whether this took effect. Do not call it again. Tell the customer that it could not be "
    "confirmed and that a person will look into it."
)


class ToolCaller:
    """Makes the tool calls of every turn in a process."""

    def __init__(self, database: Database, client: ToolClient) -> None:
        self._ledger = Ledger(database)
        self._client = client

    async def call(
        self, org_id: UUID, turn_id: UUID, call: ToolCall, tool: HttpTool | None, attempt: int
    ) -> ToolResult:
        """The call's outcome, made or remembered. Repeating it never repeats a side effect.

        tool None: the agent has none of this name. attempt counts from 1. Raises ToolUnavailable when another
        attempt is safe and may succeed. Wrong names and arguments are failed results that the model can read.
        """
        if tool is None:
            return _result(call, "failed", f"There is no tool named {call.name}.")
        wrong = faults(tool.parameters, call.arguments)
        if wrong:
            return _result(call, "failed", "The arguments do not fit the tool's parameters.\n" + "\n".join(wrong))
        state, outcome = await self._ledger.claim(org_id, turn_id, call)
        if state in ("succeeded", "failed", "unknown"):
            return _result(call, state, outcome or "")
        may_repeat = tool.idempotent or tool.method == "GET"
        if not await self._ledger.mark_sent(org_id, turn_id, call, again=may_repeat):
            # Sent by an attempt that died, or by one that is still at it: its side effect is not ours to repeat.
            return await self._ledger.settle(org_id, turn_id, _result(call, "unknown", UNKNOWN))
        sent = await self._client.send(tool, call.arguments, idempotency_key(turn_id, call.key))
        if isinstance(sent, NeverSent) and sent.retryable and attempt < LAST_ATTEMPT:
            if state == "claimed":
                await self._ledger.release(org_id, turn_id, call)
            raise ToolUnavailable(sent.why)
        if may_repeat and attempt < LAST_ATTEMPT and _may_pass(sent):
            raise ToolUnavailable(sent.why if isinstance(sent, NoAnswer) else f"{tool.url.host} is overloaded.")
        earlier_sent = state == "sent"
        return await self._ledger.settle(org_id, turn_id, _judge(call, sent, earlier_sent=earlier_sent))


def _may_pass(sent: Answered | NeverSent | NoAnswer) -> bool:
    """A fault that another attempt may not meet."""
    if isinstance(sent, Answered):
        return sent.status in (408, 425, 429) or (sent.status >= 500 and sent.status != 501)
    return isinstance(sent, NoAnswer)


def _judge(call: ToolCall, sent: Answered | NeverSent | NoAnswer, *, earlier_sent: bool) -> ToolResult:
    if isinstance(sent, NeverSent):
        # This attempt did nothing, but one before it may have.
        return _result(call, "unknown", UNKNOWN) if earlier_sent else _result(call, "failed", sent.why)
    if isinstance(sent, NoAnswer) or (sent.status >= 500 and sent.status != 501):
        return _result(call, "unknown", UNKNOWN)
    if 200 <= sent.status < 300:
        return _result(call, "succeeded", sent.body)
    return _result(call, "failed", f"HTTP {sent.status}: {sent.body}")


def _result(call: ToolCall, state: ToolState, content: str) -> ToolResult:
    return ToolResult(key=call.key, name=call.name, arguments=call.arguments, state=state, content=content)
