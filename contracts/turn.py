"""What the steps of a turn say to each other: route, retrieve, reply, act, guard, persist."""

from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from contracts.model import Contract

GuardAction = Literal["allow", "redact", "block"]
FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "refused"]
ToolState = Literal["succeeded", "failed", "unknown"]


class TurnRef(Contract):
    """Which turn this is about. Every activity of a turn carries it."""

    org_id: UUID
    conversation_id: UUID
    turn_id: UUID
    agent_version_id: UUID


class AttachmentRef(Contract):
    """An image or a file that came with a message, by reference. size in bytes; sha256 of the bytes in storage."""

    name: str
    media_type: str
    size: int
    sha256: str


class IncomingMessage(Contract):
    """One message of the customer, as accepted. api_key_id: of the request that brought it; its cost counts there."""

    id: UUID
    text: str
    client_key: str | None = None
    api_key_id: UUID | None = None
    attachments: list[AttachmentRef] = Field(default_factory=list)


class Route(Contract):
    """language is ISO 639-1; intent is None when no known intent fits (confidence 0..1)."""

    language: str = "en"
    language_confidence: float = 0.0
    intent: str | None = None
    intent_confidence: float = 0.0


class Finding(Contract):
    """One thing a guard saw. Carries no personal data: kinds and counts only."""

    kind: str
    count: int = 1
    score: float = 1.0


class Verdict(Contract):
    """What a guard decided. `text` is the text to go on with when the action is redact or block."""

    action: GuardAction = "allow"
    findings: list[Finding] = Field(default_factory=list)
    text: str | None = None


class QuotedVerdict(Contract):
    """What a guard decided of one text that was quoted to a model. id: of the passage, or the key of the tool call.

    document_id goes with a passage, name with a tool. The verdict has no text.
    """

    source: Literal["passage", "tool"]
    id: str
    document_id: UUID | None = None
    name: str | None = None
    verdict: Verdict


class PassageRef(Contract):
    """A passage by reference: texts stay out of Temporal's history. score is 0..1, best first."""

    collection_id: UUID
    document_id: UUID
    passage_id: str
    score: float


class Usage(Contract):
    """Tokens of a model call. input_tokens counts all that was read: cached_tokens (read from the provider's cache)
    and cache_written_tokens are parts of it. reasoning_tokens are part of output_tokens.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_written_tokens: int = 0
    reasoning_tokens: int = 0


class Rewrite(Contract):
    """A follow-up as a question that can be searched alone. The model's part is empty when rules wrote it.

    reasons: why the message could not be searched alone (points_back, goes_on, few_words).
    """

    query: str
    by: Literal["rules", "model"]
    reasons: list[str] = Field(default_factory=list)
    provider: str | None = None
    model: str | None = None
    usage: Usage = Usage()
    cost_micros: int = 0


class Retrieval(Contract):
    """rewrite: what was searched for, when that is not the message itself.

    answerable: 0..1, how likely the passages answer it; None when nothing was searched for.
    """

    passages: list[PassageRef] = Field(default_factory=list)
    rewrite: Rewrite | None = None
    answerable: float | None = None


class StepTiming(Contract):
    step: str
    milliseconds: float


class PrepareInput(Contract):
    """messages are new to the turn; text is all that the customer said in it, a burst included."""

    ref: TurnRef
    messages: list[IncomingMessage]
    text: str


class Prepared(Contract):
    """What a reply needs. number counts turns of the conversation from 1 and orders the fences."""

    number: int
    route: Route = Route()
    checked: Verdict = Verdict()
    retrieval: Retrieval = Retrieval()
    timings: list[StepTiming] = Field(default_factory=list)


class ToolCall(Contract):
    """A tool call the model asked for. key is unique in the turn and names it in the ledger."""

    key: str
    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)


class ToolResult(Contract):
    key: str
    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    state: ToolState
    content: str


class ReplyInput(Contract):
    """One model call. `said` is the text of earlier calls of this turn; the new text goes after it.

    searched: the text as a question that stands alone, when it did not. tried: attempts before the turn was parked.
    attachments: what came with the customer's messages of this turn.
    """

    ref: TurnRef
    number: int
    step: int
    text: str
    route: Route
    passages: list[PassageRef] = Field(default_factory=list)
    tool_results: list[ToolResult] = Field(default_factory=list)
    said: str = ""
    tools_allowed: bool = True
    searched: str | None = None
    tried: int = 0
    attachments: list[AttachmentRef] = Field(default_factory=list)


class TriedModel(Contract):
    """A candidate for a model call and what became of it.

    outcome: answered, a kind of failure, superseded, busy, over_budget, passed_over when it was not asked, or cached
    when its answer to the same request was given again.
    number: of the call in its step, where there was one.
    """

    provider: str
    model: str
    outcome: str
    detail: str | None = None
    milliseconds: float | None = None
    number: int | None = None


class LeftOut(Contract):
    """How much of what there was a model did not get to read, because its window is too short.

    history counts messages; shortened names the parts whose middle is missing.
    """

    history: int = 0
    passages: int = 0
    tool_results: int = 0
    tools: int = 0
    shortened: list[str] = Field(default_factory=list)


class Reply(Contract):
    """text is what this call added, after streaming checks; cost in millionths of a US dollar.

    quoted: of the passages and tool results that it read, those that tried to give orders. tried: the candidates
    of this attempt in the order of their turn, and because: why these. left_out: of what the first candidate read.
    """

    text: str
    tool_calls: list[ToolCall] = Field(default_factory=list)
    finish: FinishReason = "stop"
    provider: str
    model: str
    usage: Usage = Usage()
    cost_micros: int = 0
    first_token_ms: float | None = None
    attempt: int = 1
    step: int = 0
    quoted: list[QuotedVerdict] = Field(default_factory=list)
    tried: list[TriedModel] = Field(default_factory=list)
    because: str = ""
    left_out: LeftOut | None = None


class ActInput(Contract):
    ref: TurnRef
    number: int
    step: int
    call: ToolCall


class ParkedTime(Contract):
    """How long a turn was parked, from its first pause until it was answered or given up, tries included."""

    code: str
    seconds: float
    pauses: int


class PersistInput(Contract):
    """Everything that one transaction writes at the end of a turn, once the guard has seen the whole text.

    question is what the customer said: what it holds may be said back. best: of the passages found, when the
    agent searched and found any; it, `answerable` and `rewrite` say why a question was answered or not.
    """

    ref: TurnRef
    number: int
    text: str
    question: str = ""
    route: Route
    checked: Verdict
    calls: list[Reply] = Field(default_factory=list)
    tool_results: list[ToolResult] = Field(default_factory=list)
    timings: list[StepTiming] = Field(default_factory=list)
    best: PassageRef | None = None
    answerable: float | None = None
    rewrite: Rewrite | None = None
    parked: ParkedTime | None = None


class FailInput(Contract):
    """Ends a turn that could not be answered: the customer gets a message, the operator an event.

    messages are stored if they are not yet: preparing may be what failed. handed_over: a person must answer.
    """

    ref: TurnRef
    messages: list[IncomingMessage]
    code: str
    detail: str
    handed_over: bool = False
    language: str = "en"
    parked: ParkedTime | None = None


class Persisted(Contract):
    message_id: UUID
    last_seq: int


class InterruptInput(Contract):
    """A newer message wants to join this turn: silence the reply in flight, if it said nothing yet."""

    ref: TurnRef
    number: int
    step: int


class Interrupted(Contract):
    """silenced: the reply in flight can never speak again. Otherwise it already spoke, and goes on."""

    silenced: bool


class OneShotInput(Contract):
    """A turn for callers without a conversation: its history is already stored with `ref`."""

    ref: TurnRef
    messages: list[IncomingMessage]


class TurnOutcome(Contract):
    turn_id: UUID
    message_id: UUID
    failed: bool = False
