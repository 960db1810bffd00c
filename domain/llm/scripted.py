"""The scripted model: says exactly what it is told, when it is told. For tests and benches, never for customers."""

import asyncio
import re
import time
from collections.abc import AsyncIterator

from contracts.turn import Usage
from domain.agents.config import Script
from domain.errors import DomainError, ProviderGarbage, ProviderRejected, ProviderUnavailable
from domain.llm.model import Finished, ModelRequest, Piece, TextPiece, ToolRequest
from domain.llm.resume import shown_length

_WORD = re.compile(r"\s*\S+|\s+")
_CLOCK = "{clock}"
_CLOCK_LETTERS = 12
_FAILURES: dict[str, type[DomainError]] = {
    "unavailable": ProviderUnavailable,
    "rejected": ProviderRejected,
    "garbage": ProviderGarbage,
}


def words_of(text: str) -> list[str]:
    """Pieces of one word with the space before it; joined they are the text."""
    return _WORD.findall(text)


def _pieces_after(text: str, prefix: str) -> list[str]:
    if _CLOCK in text:
        # What was said has other letters than the script, but as many words.
        return words_of(text)[len(prefix.split()) :]
    return words_of(text[shown_length(text, prefix) :])


def _stamped(piece: str) -> str:
    """CLOCK_MONOTONIC in nanoseconds, in base 26 from a to z: a guard that looks for numbers sees none."""
    if _CLOCK not in piece:
        return piece
    number, letters = time.monotonic_ns(), ""
    for _ in range(_CLOCK_LETTERS):
        number, digit = divmod(number, 26)
        letters = chr(97 + digit) + letters
    return piece.replace(_CLOCK, letters)


def counted(request: ModelRequest, said: str) -> Usage:
    """Words instead of tokens, for models that have no tokenizer."""
    asked = len(request.instructions.split()) + sum(len(m.text.split()) for m in request.messages)
    return Usage(input_tokens=asked, output_tokens=len(said.split()))


class ScriptedProvider:
    """Follows `request.script`; without one, the default script.

    Pieces keep an absolute schedule (piece n is due at first_delay + n * token_delay), so a slow
    reader does not stretch the reply. A failure strikes after half of the words, or before
    the first when there are three words or fewer. Text of `prefix` is skipped, with its delays.
    `{clock}` in the script becomes the moment in which it is said, so that a bench can tell how long
    a word was on its way.
    """

    default_model = "scripted"

    def __init__(self, name: str = "scripted") -> None:
        self.name = name

    async def stream(self, request: ModelRequest) -> AsyncIterator[Piece]:
        script = request.script or Script()
        clock = asyncio.get_running_loop()
        started = clock.time() + script.first_delay_ms / 1000
        await asyncio.sleep(script.first_delay_ms / 1000)
        if script.tool_calls and not any(message.role == "tool" for message in request.messages):
            _fail(script, request.attempt)
            calls = tuple(
                ToolRequest(id=f"call_{index}", name=call.name, arguments=call.arguments)
                for index, call in enumerate(script.tool_calls)
            )
            yield Finished("tool_calls", counted(request, ""), calls)
            return
        pieces = _pieces_after(script.text, request.prefix)
        fails_at = len(pieces) // 2 if len(words_of(script.text)) > 3 else 0
        for index, piece in enumerate(pieces):
            if index == fails_at:
                _fail(script, request.attempt)
            due = started + index * script.token_delay_ms / 1000 - clock.time()
            if due > 0:
                await asyncio.sleep(due)
            yield TextPiece(_stamped(piece))
        if not pieces:
            _fail(script, request.attempt)
        yield Finished("stop", counted(request, "".join(pieces)))

    async def close(self) -> None:
        """Nothing is open."""


def _fail(script: Script, attempt: int) -> None:
    if 1 <= attempt <= len(script.failures):
        kind = script.failures[attempt - 1]
        raise _FAILURES[kind](f"The script says that attempt {attempt} ends with: {kind}.")
