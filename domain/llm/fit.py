"""Make a request fit a model's window. Not for what it says: see `prompt.py`; nor for counting: see `tokens.py`.

What cannot all be said gives way in this order: old messages, passages of low rank, tool results beyond their share,
the middle of a very long message, and last the instructions.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from contracts.turn import LeftOut, ToolResult
from domain.knowledge.passage import Passage
from domain.llm.model import Attachment, ChatMessage, Exchange, ModelRequest, ToolSpec
from domain.llm.pdf_size import pdf_tokens
from domain.llm.prompt import messages, quote, quoted, tool_text
from domain.llm.window import MESSAGE_TOKENS, Budget, Window, surely_fits

BLOCK = 6
"""Old messages go in blocks of so many: were each turn to drop its own two, the provider's cache would never fit."""

_INSTRUCTIONS_SHARE = _TOOLS_SHARE = 0.3
_QUESTION_SHARE = 0.6
_RESULTS_SHARE = 0.75
_PASSAGES_SHARE = 0.8
_HALF = 0.5
_MESSAGE_SHARE = 0.25
_TRIES = 4
"""Texts one behind the other may count for a little more than each of them alone."""

_LEAST_TOKENS = 48
"""Less than this of a text says nothing."""

IMAGE_TOKENS = 1_600
"""The most that Anthropic and OpenAI count for a picture in its full size."""
_BYTES_PER_TOKEN = 4
_NOTHING = "[left out]"
_WORN = "<summary></summary><passages></passages>"


@dataclass(frozen=True, slots=True)
class Fitted:
    """left_out is None when nothing is."""

    request: ModelRequest
    left_out: LeftOut | None = None


def fit(request: ModelRequest, window: Window) -> Fitted:
    """The request, with no more in it than the window holds beside the reply.

    Pure: the same request and window give the same, and what was made to fit one window can be fitted to a smaller
    one. A request that was not made by `build_request` stays as it is,
    but for the length of its reply.
    """
    reply = window.reply(request.max_output_tokens)
    room = window.room(reply)
    texts = [request.instructions, request.prefix, *_written(request)]
    if request.exchange is None or surely_fits(texts, len(request.messages) + 1, room - _attached(request)):
        return Fitted(request if reply == request.max_output_tokens else replace(request, max_output_tokens=reply))
    for _ in range(_TRIES):
        fitted = _Fitting(request, request.exchange, window, room).fitted(reply)
        over = count(fitted.request, window) + fitted.request.max_output_tokens - window.tokens
        if over <= 0:
            break
        room -= over
    return fitted


def count(request: ModelRequest, window: Window) -> int:
    """Tokens of all that is asked, rather too many than too few."""
    texts = [request.instructions, request.prefix, *_written(request)]
    return sum(map(window.count, texts)) + MESSAGE_TOKENS * (len(request.messages) + 1) + _attached(request)


def _written(request: ModelRequest) -> list[str]:
    texts = [message.text for message in request.messages]
    texts += [_call(asked.name, asked.arguments) for message in request.messages for asked in message.tool_requests]
    texts += [_spec(tool) for tool in request.tools]
    if request.output_schema is not None:
        texts.append(json.dumps(request.output_schema, ensure_ascii=False))
    return texts


def _attached(request: ModelRequest) -> int:
    return sum(_size(attachment) for message in request.messages for attachment in message.attachments)


def _size(attachment: Attachment) -> int:
    if attachment.media_type == "application/pdf":
        return pdf_tokens(attachment.data)
    picture = attachment.media_type.startswith("image/")
    return IMAGE_TOKENS if picture else len(attachment.data) // _BYTES_PER_TOKEN


def _spec(tool: ToolSpec) -> str:
    return json.dumps([tool.name, tool.description, tool.parameters], ensure_ascii=False)


def _call(name: str, arguments: dict[str, object]) -> str:
    return json.dumps([name, arguments], ensure_ascii=False)


class _Fitting:
    """One request on its way to fit."""

    def __init__(self, request: ModelRequest, exchange: Exchange, window: Window, room: int) -> None:
        self._request = request
        self._exchange = exchange
        self._window = window
        self._budget = Budget(window, room)
        self._shortened: list[str] = []

    def fitted(self, reply: int) -> Fitted:
        request, asked, budget = self._request, self._exchange, self._budget
        whole = budget.left
        budget.take(_WORN)
        # What a file of megabytes has in tokens, only its reader knows: it must not take the question's room.
        attached = min(_attached(request), int(whole * _HALF))
        budget.left = max(0, budget.left - attached - 3 * MESSAGE_TOKENS)
        if request.output_schema is not None:
            budget.take(json.dumps(request.output_schema, ensure_ascii=False))
        tools = self._tools(whole)
        instructions = self._short("instructions", request.instructions, int(whole * _INSTRUCTIONS_SHARE))
        others = bool(asked.passages or asked.tool_results)
        text = self._short("question", asked.text, int(budget.left * (_QUESTION_SHARE if others else 1)))
        said = self._short("said", asked.said, int(budget.left * _HALF)) if asked.tool_results else asked.said
        results = self._results()
        passages = self._passages()
        summary = asked.summary if asked.summary and budget.holds(asked.summary, budget.left) else ""
        history = self._history()
        fitting = replace(
            asked, text=text, said=said, tool_results=results, passages=passages, summary=summary, history=history,
            history_start=asked.history_start + len(asked.history) - len(history),
        )  # fmt: skip
        left_out = LeftOut(
            history=len(asked.history) - len(history),
            passages=len(asked.passages) - len(passages),
            tool_results=len(asked.tool_results) - len(results),
            tools=len(request.tools) - len(tools),
            shortened=list(dict.fromkeys(self._shortened)),
        )
        made = replace(
            request,
            instructions=instructions,
            tools=tools,
            messages=messages(fitting),
            passages=passages,
            max_output_tokens=max(1, reply - self._window.count(request.prefix)) if request.prefix else reply,
            lasting=len(history),
        )
        return Fitted(made, left_out if left_out != LeftOut() else None)

    def _short(self, part: str, text: str, most: int, *, extra: int = 0) -> str:
        fitting = self._budget.fit(text, most, extra=extra)
        if fitting != text:
            self._shortened.append(part)
        return fitting

    def _tools(self, whole: int) -> tuple[ToolSpec, ...]:
        """The first ones that fit their share: a tool whose schema is cut cannot be called."""
        most, kept = int(whole * _TOOLS_SHARE), list[ToolSpec]()
        for tool in self._request.tools:
            before = self._budget.left
            if self._budget.holds(_spec(tool), most, extra=MESSAGE_TOKENS):
                most -= before - self._budget.left
                kept.append(tool)
        return tuple(kept)

    def _results(self) -> list[ToolResult]:
        """The latest whose calls fit, their texts cut to one length where they are too long together."""
        asked, budget = self._exchange, self._budget
        share = int(budget.left * (_RESULTS_SHARE if asked.passages or asked.history else 1))
        kept, calls = list[ToolResult](), int(share * _HALF)
        for result in reversed(asked.tool_results):
            before = budget.left
            if not budget.holds(_call(result.name, result.arguments), calls, extra=2 * MESSAGE_TOKENS):
                break
            calls -= before - budget.left
            share -= before - budget.left
            kept.insert(0, result)
        sizes = [min(share, self._count_up_to(tool_text(result), share)) for result in kept]
        most = _level(sizes, share)
        return [self._result(result, most) for result in kept]

    def _result(self, result: ToolResult, most: int) -> ToolResult:
        content = self._short("tool_results", result.content, most, extra=2) if result.content else result.content
        return result.model_copy(update={"content": content or (_NOTHING if result.content else "")})

    def _count_up_to(self, text: str, most: int) -> int:
        return most if self._window.counter.exceeds(text, most) else self._window.count(text)

    def _passages(self) -> tuple[Passage, ...]:
        """The best, whole where they can be; numbers of those that stay do not change."""
        asked, budget = self._exchange, self._budget
        share = int(budget.left * (_PASSAGES_SHARE if asked.history else 1))
        if asked.passages and budget.holds(quoted(asked.passages), share):
            return tuple(asked.passages)
        kept = list[Passage]()
        for number, passage in enumerate(asked.passages, start=1):
            most = share // 2 if number < len(asked.passages) else share
            around = self._window.count(quote(number, replace(passage, text="")))
            if most - around < _LEAST_TOKENS:
                break
            before = budget.left
            text = self._short("passages", passage.text, most, extra=around)
            share -= before - budget.left
            if not text:
                break
            kept.append(replace(passage, text=text))
        return tuple(kept)

    def _history(self) -> tuple[ChatMessage, ...]:
        """The latest that fit, from the beginning of a block on where the block's rest is not all there is."""
        asked, budget = self._exchange, self._budget
        longest, kept = int(budget.left * _MESSAGE_SHARE), list[ChatMessage]()
        for line in reversed(asked.history):
            if budget.left < _LEAST_TOKENS:
                break
            text = self._short("history", line.text, longest, extra=MESSAGE_TOKENS)
            if line.text and not text:
                break
            kept.insert(0, replace(line, text=text))
        dropped = len(asked.history) - len(kept)
        if dropped:
            begins = asked.history_start + dropped
            later = -(begins - 1) % BLOCK
            kept = kept[later:] if later < len(kept) else kept
            while kept and kept[0].role != "user":
                kept.pop(0)
        return tuple(kept)


def _level(sizes: Sequence[int], whole: int) -> int:
    """The length to which the long ones are cut so that all together are no more than `whole`."""
    left = whole
    for done, size in enumerate(sorted(sizes)):
        fair = left // (len(sizes) - done)
        if size > fair:
            return fair
        left -= size
    return whole
