"""One request and one stream of replies for every provider."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from contracts.turn import FinishReason, ToolResult, Usage
from domain.agents.config import Script
from domain.knowledge.passage import Passage

Reasoning = Literal["none", "low", "medium", "high"]


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """parameters is a JSON Schema of type object."""

    name: str
    description: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolRequest:
    """A call the model asks for. id is the provider's own, or made up where it has none."""

    id: str
    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Attachment:
    """An image or a file that goes to the model as it is. media_type decides which of both it is."""

    media_type: str
    data: bytes
    name: str = ""


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """tool_requests only with role assistant; tool_request_id only with role tool; attachments only with role user."""

    role: Literal["user", "assistant", "tool"]
    text: str
    tool_requests: tuple[ToolRequest, ...] = ()
    tool_request_id: str | None = None
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Exchange:
    """What a turn knows. `said` is the text of earlier model calls of this turn.

    history: whole messages before this turn, oldest first; the first of them has the number history_start in its
    conversation. summary: of the messages before those. searched: the text as a question that stands alone, for a
    model that does not read the history.
    """

    text: str
    history: Sequence[ChatMessage] = ()
    passages: Sequence[Passage] = ()
    tool_results: Sequence[ToolResult] = ()
    said: str = ""
    language: str = "en"
    searched: str | None = None
    summary: str = ""
    history_start: int = 1
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """What to ask. Ends with the customer's message or a tool's result.

    prefix is text of this very reply that readers have already seen before a failure: the provider
    must go on after it and never say it again. passages and question are for the extractive model;
    the others find the passages in the customer's message. output_schema: the reply is one JSON object that fits this
    JSON Schema. reasoning: how long the model may think, where it can; None leaves it to the provider. cache:
    the provider may keep the instructions and tools for the next call, where that has to be asked for. lasting: so
    many of the first messages come again in the next call as they are. exchange: what the messages were made of, so
    that `fit` can make them again for a smaller window.
    """

    model: str
    instructions: str
    messages: Sequence[ChatMessage]
    tools: Sequence[ToolSpec] = ()
    temperature: float | None = None
    max_output_tokens: int = 1024
    prefix: str = ""
    question: str = ""
    passages: Sequence[Passage] = ()
    language: str = "en"
    script: Script | None = None
    attempt: int = 1
    output_schema: dict[str, Any] | None = None
    reasoning: Reasoning | None = None
    cache: bool = True
    lasting: int = 0
    exchange: Exchange | None = None


@dataclass(frozen=True, slots=True)
class TextPiece:
    """New visible text, in order; never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class WebSource:
    """A page that the provider itself found and read. title may be empty."""

    url: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class Finished:
    """Always the last piece. usage is the provider's own count where it gives one.

    sources: in the order of the numbers that the text cites them by, [1] first.
    """

    finish: FinishReason
    usage: Usage
    tool_requests: tuple[ToolRequest, ...] = field(default=())
    sources: tuple[WebSource, ...] = field(default=())


Piece = TextPiece | Finished


class Provider(Protocol):
    """A model provider. Never retries by itself: the activity's retry policy is the one retry clock."""

    name: str
    default_model: str

    def stream(self, request: ModelRequest) -> AsyncIterator[Piece]:
        """Stream one reply.

        Raises ProviderUnavailable, ProviderRejected or ProviderGarbage, before or in the middle.
        Closing the iterator early (or cancelling) closes the connection.
        """
        ...

    async def close(self) -> None:
        """Idempotent."""
        ...
