"""Promise: the bench hears every token once, knows when it was said, and installs nothing that is not pinned."""

import asyncio
import re
from pathlib import Path

import pytest

from bench import stamp, table
from bench.client import CONTRACT, Exchange, listen
from bench.contender import PEERS, Contender, Script
from bench.everturn import EverturnContender
from domain.agents.config import Guardrails
from domain.agents.config import Script as AgentScript
from domain.guard.streaming import OutgoingStream
from domain.llm.model import ModelRequest, TextPiece
from domain.llm.scripted import ScriptedProvider

_ROOT = Path(__file__).parents[1]


def _chunked(text: str) -> bytes:
    return f"{len(text):x}\r\n{text}\r\n".encode()


@pytest.mark.parametrize("piece", [1, 7, 10_000])
async def test_tokens_are_heard_once_however_the_bytes_are_cut(piece: int) -> None:
    tokens = [stamp.token(index) for index in range(20)]
    # A token cut in two by the server, as a log that knows no tokens may do.
    events = [f'data: {{"t": "{token[:4]}"}}\n\ndata: {{"t": "{token[4:]} "}}\n\n' for token in tokens]
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"".join(map(_chunked, events))
    answer += _chunked('data: {"done": true}\n\n') + b"0\r\n\r\n"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for start in range(0, len(answer), piece):
            writer.write(answer[start : start + piece])
            await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        heard = await listen(port, Exchange.of("GET", "/", CONTRACT), timeout_seconds=20)
    assert heard.ok, heard.fault
    assert [index for index, _, _ in heard.tokens] == list(range(20))
    assert all(said <= arrived for _, said, arrived in heard.tokens)


async def test_a_stream_that_ends_early_is_a_fault() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + _chunked("data: {}\n\n") + b"0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        heard = await listen(port, Exchange.of("GET", "/", CONTRACT), timeout_seconds=20)
    assert heard.fault == "the stream ended early"


async def test_the_scripted_model_stamps_its_words_and_the_guard_lets_them_pass() -> None:
    text = " ".join(stamp.letters(index, stamp.INDEX_LETTERS) + "{clock}" for index in range(50))
    request = ModelRequest(model="scripted", instructions="", messages=(), script=AgentScript(text=text))
    guard = OutgoingStream(Guardrails(), ())
    said = [piece.text async for piece in ScriptedProvider().stream(request) if isinstance(piece, TextPiece)]
    shown = [guard.feed(piece) for piece in said]
    assert shown == said, "a word of letters must not be held back"
    stamps = [stamp.read(token) for token in stamp.TOKEN.findall("".join(shown))]
    assert [index for index, _ in stamps] == list(range(50))
    assert [moment for _, moment in stamps] == sorted(moment for _, moment in stamps)

    rest = ModelRequest("scripted", "", (), prefix="".join(said[:20]), script=AgentScript(text=text))
    resumed = [piece.text async for piece in ScriptedProvider().stream(rest) if isinstance(piece, TextPiece)]
    assert [stamp.read(token)[0] for token in stamp.TOKEN.findall("".join(resumed))] == list(range(20, 50))


def test_every_requirement_is_pinned_and_hashed_and_names_no_address() -> None:
    files = sorted((_ROOT / "bench" / "peers").glob("*/requirements.txt"))
    assert len(files) == 6
    for file in files:
        text = file.read_text()
        assert "://" not in text, file
        requirements = re.sub(r"\\\n", " ", text).splitlines()
        for line in requirements:
            assert re.match(r"[\w.\-\[\],]+==\S+ .*--hash=sha256:", line), f"{file}: {line}"


def test_every_row_is_described() -> None:
    page = (_ROOT / "docs" / "bench.md").read_text()
    everyone: list[Contender] = [*PEERS, EverturnContender()]
    for who in everyone:
        assert f"| `{who.name}` |" in page


def test_the_table_shows_figures_faults_and_what_was_not_measured() -> None:
    row = {
        "title": "One",
        "one_at_a_time": {"p50_ms": 41.2, "p99_ms": 70.0, "faults": []},
        "busy": {"turns_per_second": 61.0, "p99_ms": 900.0, "faults": ["connection lost"]},
        "kill": {
            "finishes_by_itself": True,
            "goes_on_after_s": 2.0,
            "finished_after_s": 6.0,
            "repeated_tokens": 0,
            "fault": "",
        },
    }
    shown = table.render({"one": row})
    assert "41" in shown
    assert "61!" in shown
    assert "goes on after 2.0 s, done after 6.0 s, nothing shown twice" in shown
    goals = table.goals(row)
    assert "met   whole turn p50" in goals
    assert "?     first token" in goals


def test_a_script_reads_the_same_on_both_sides() -> None:
    assert Script(200, 33.3, 8).json() == '{"first_delay_ms": 200, "token_delay_ms": 33.3, "tokens": 8}'
