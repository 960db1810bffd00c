"""Rebuilds a reply from the event log, and says what a screen must do to follow it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of a conversation's log. seq is gapless and is the cursor to resume from."""

    seq: int
    type: str
    data: Mapping[str, Any]
    turn_id: str | None = None


@dataclass(slots=True)
class Reply:
    """The reply of one turn as far as it is known. Feed every event in order; text equals the log's, always."""

    text: str = ""
    citations: list[dict[str, Any]] = field(default_factory=list)
    finished: bool = False
    failure: str | None = None
    """Why the turn failed; None while it runs and when it succeeded."""
    notice: str | None = None
    """What the customer should read while nobody can answer; None again when it goes on."""
    summary: Mapping[str, Any] = field(default_factory=dict)
    """Usage, cost and timings of the turn, once it is completed."""

    def feed(self, event: Event) -> tuple[int, str]:
        """Take an event. Returns how many characters at the end of the text to take back, and what to add."""
        before, data = self.text, event.data
        match event.type:
            case "reply.delta":
                self.text = before[: int(data["at"])] + str(data["text"])
            case "reply.rewind":
                self.text = before[: int(data["to"])]
            case "message.created" if data.get("role") == "assistant":
                self.text = str(data["text"])
                self.citations = list(data.get("citations") or [])
            case "turn.parked":
                self.notice = data.get("notice") or self.notice
            case "turn.completed":
                self.finished, self.summary = True, data
            case "turn.failed" | "turn.handed_over":
                self.finished, self.failure = True, str(data.get("detail") or data.get("code"))
        if self.finished or event.type == "reply.delta":
            self.notice = None
        kept = _common_length(before, self.text)
        return len(before) - kept, self.text[kept:]


def _common_length(before: str, after: str) -> int:
    if after.startswith(before):
        return len(before)
    for index, (old, new) in enumerate(zip(before, after, strict=False)):
        if old != new:
            return index
    return min(len(before), len(after))
