"""The types of the event log: what a subscriber of a conversation can see, and nothing else.

Rebuilding a reply: start with "", apply `reply.delta` as `text[:at] + text`, and
`reply.rewind` as `text[:to]`. What remains equals the stored message, always.
"""

from typing import Final

MESSAGE_CREATED: Final = "message.created"
"""A message exists, whole. data: message_id, role (user|assistant), text, citations."""

TURN_STARTED: Final = "turn.started"
"""data: number."""

REPLY_STARTED: Final = "reply.started"
"""A model call begins. data: attempt (1 first), call (0 first; grows with tool rounds), provider, model, language,
intent (null: none of the known ones), passages (count found), searched (null: the message as it is)."""

REPLY_DELTA: Final = "reply.delta"
"""data: text, at (offset in code points where the text belongs)."""

REPLY_REWIND: Final = "reply.rewind"
"""Take back what was shown from an offset on. data: to (code points kept), reason."""

TOOL_STARTED: Final = "tool.started"
"""data: call_key, name."""

TOOL_FINISHED: Final = "tool.finished"
"""data: call_key, name, state (succeeded|failed|unknown)."""

TURN_PARKED: Final = "turn.parked"
"""Nobody can answer now; the turn waits and is tried again by itself. data: since, until (when it is tried again),
pause (1 first), code, notice (for the customer, in their language; null after the first, which is still shown)."""

TURN_RESUMED: Final = "turn.resumed"
"""A pause is over and the model is asked again. data: pause, woken (timer|message|retry)."""

TURN_COMPLETED: Final = "turn.completed"
"""data: message_id, usage, cost_micros, timings_ms, model, provider."""

TURN_FAILED: Final = "turn.failed"
"""The turn ended with an explanation instead of an answer. data: message_id, code, detail."""

TURN_HANDED_OVER: Final = "turn.handed_over"
"""Nobody could answer for as long as the agent allows; a person must. data: message_id, code, detail."""

CONVERSATION_CLOSED: Final = "conversation.closed"
"""No message is accepted any more. data: reason."""

TURN_ENDS: Final = (TURN_COMPLETED, TURN_FAILED, TURN_HANDED_OVER)
