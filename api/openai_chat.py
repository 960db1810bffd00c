"""Chat Completions as OpenAI's clients speak them: requests in, completions and chunks out. No I/O.

The agent decides how to answer, so sampling parameters are taken and not followed.
"""

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import orjson
from pydantic import ConfigDict, Field

from api.spoken import Spoken
from api.texts import RequestModel
from contracts.conversation import MAX_MESSAGE_CHARS
from contracts.events import MESSAGE_CREATED, REPLY_DELTA, REPLY_REWIND, TURN_ENDS, TURN_PARKED, TURN_RESUMED
from domain.conversations.attachment import Given, from_data_url
from domain.conversations.log import LoggedEvent
from domain.conversations.store import GivenLine
from domain.errors import Invalid

_MAX_MESSAGES = 500
DONE = b"data: [DONE]\n\n"
_FINISH = {"length": "length", "content_filter": "content_filter", "refused": "content_filter"}


class _Given(RequestModel):
    """Clients send fields of newer versions; what is not known is not refused."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class TextPart(_Given):
    type: Literal["text"]
    text: str


class ImageUrl(_Given):
    """url: a data: URL; nothing is fetched."""

    url: str


class ImagePart(_Given):
    type: Literal["image_url"]
    image_url: ImageUrl


class FileData(_Given):
    """file_data: a data: URL."""

    file_data: str
    filename: str = ""


class FilePart(_Given):
    type: Literal["file"]
    file: FileData


Part = Annotated[TextPart | ImagePart | FilePart, Field(discriminator="type")]


class ChatLine(_Given):
    """system and developer lines are kept as the caller's words: they cannot replace the agent's instructions."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[Part] | None = None

    def said(self) -> str:
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if isinstance(part, TextPart))
        return self.content or ""

    def attached(self, pointer: str) -> Iterator[Given]:
        """Its images and files. Raises Invalid."""
        for number, part in enumerate(self.content if isinstance(self.content, list) else ()):
            where = f"{pointer}/content/{number}"
            if isinstance(part, ImagePart):
                yield from_data_url(part.image_url.url, pointer=f"{where}/image_url/url")
            elif isinstance(part, FilePart):
                name = part.file.filename
                yield from_data_url(part.file.file_data, name=name, pointer=f"{where}/file/file_data")


class StreamOptions(_Given):
    include_usage: bool = False


class ChatRequest(_Given):
    model: Annotated[str, Field(min_length=1, max_length=200, examples=["support"])]
    messages: Annotated[list[ChatLine], Field(min_length=1, max_length=_MAX_MESSAGES)]
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: Annotated[int, Field(ge=1, le=1)] | None = 1
    tools: Annotated[list[Any], Field(max_length=0, description="The agent has its own tools.")] | None = None

    def question(self) -> str:
        """Raises Invalid unless the last line is the user's, with text in it."""
        last = self.messages[-1]
        where = f"/messages/{len(self.messages) - 1}"
        if last.role != "user":
            raise Invalid("the last message must have role user", pointer=f"{where}/role")
        text = last.said()
        if not text.strip() or len(text) > MAX_MESSAGE_CHARS:
            raise Invalid(f"1 to {MAX_MESSAGE_CHARS} characters, not all blank", pointer=f"{where}/content")
        return text

    def attached(self) -> list[Given]:
        """All images and files of the user's lines: the caller brings the history, and a question may be about an
        earlier image. Raises Invalid.
        """
        users = ((number, line) for number, line in enumerate(self.messages) if line.role == "user")
        return [given for number, line in users for given in line.attached(f"/messages/{number}")]

    def history(self) -> list[GivenLine]:
        """Everything before the question that says something."""
        return [
            GivenLine("assistant" if line.role == "assistant" else "user", line.said())
            for line in self.messages[:-1]
            if line.said().strip()
        ]


class Answer:
    """What a turn's events come to."""

    def __init__(self, turn_id: UUID, model: str) -> None:
        self._turn_id = turn_id
        self._head = {"id": f"chatcmpl-{turn_id.hex}", "created": int(time.time()), "model": model}
        self._spoken = Spoken()
        self._message: dict[str, Any] = {}
        self._end: dict[str, Any] = {}
        self.ended = False
        self.parked_until: datetime | None = None
        """When a turn that nobody can answer now is tried again."""

    def take(self, events: Sequence[LoggedEvent]) -> str:
        """Returns the text that a stream appends."""
        pieces = []
        for event in events:
            if event.turn_id != self._turn_id or self.ended:
                continue
            if event.type == REPLY_DELTA:
                pieces.append(self._spoken.delta(event.data["text"], event.data["at"]))
            elif event.type == REPLY_REWIND:
                self._spoken.rewind(event.data["to"])
            elif event.type == MESSAGE_CREATED and event.data["role"] == "assistant":
                self._message = event.data
            elif event.type == TURN_PARKED:
                self.parked_until = datetime.fromisoformat(event.data["until"])
            elif event.type == TURN_RESUMED:
                self.parked_until = None
            elif event.type in TURN_ENDS:
                self._end = event.data
                self.ended = True
        return "".join(pieces)

    def completion_json(self) -> bytes:
        """The whole answer, of a turn that has ended."""
        message = {"role": "assistant", "content": self._message["text"], "refusal": None, **self._extra()}
        choice = {"index": 0, "message": message, "finish_reason": self._finish(), "logprobs": None}
        body = {**self._head, "object": "chat.completion", "choices": [choice], "usage": self._usage()}
        return orjson.dumps(body)

    def opening(self) -> bytes:
        return self._chunk({"role": "assistant", "content": ""})

    def piece(self, text: str) -> bytes:
        return self._chunk({"content": text})

    def parked(self) -> bytes:
        """A comment, which the format passes over: it keeps the line open."""
        return b": parked until %s\n\n" % str(self.parked_until).encode()

    def closing(self, *, usage: bool) -> bytes:
        """The last chunks, of a turn that has ended."""
        last = self._chunk(self._extra(), self._finish())
        if usage:
            last += _data({**self._head, "object": "chat.completion.chunk", "choices": [], "usage": self._usage()})
        return last + DONE

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        return _data({**self._head, "object": "chat.completion.chunk", "choices": [choice]})

    def _extra(self) -> dict[str, Any]:
        """Ours, beside what the format knows: citations, and why a turn could not be answered."""
        extra: dict[str, Any] = {"citations": self._message.get("citations", [])}
        if "code" in self._end:
            extra["error"] = {"code": self._end["code"], "detail": self._end.get("detail")}
        return extra

    def _finish(self) -> str:
        return _FINISH.get(str(self._end.get("finish")), "stop")

    def _usage(self) -> dict[str, Any]:
        used = self._end.get("usage", {})
        into, out = used.get("input_tokens", 0), used.get("output_tokens", 0)
        return {
            "prompt_tokens": into,
            "completion_tokens": out,
            "total_tokens": into + out,
            "prompt_tokens_details": {"cached_tokens": used.get("cached_tokens", 0)},
        }


def _data(body: dict[str, Any]) -> bytes:
    return b"data: %s\n\n" % orjson.dumps(body)
