"""Each server of OpenAI's family is asked in its own words, and what only it says is understood."""

import json
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from domain.errors import ProviderRejected, ProviderUnavailable
from domain.knowledge.passage import Passage
from domain.llm.json_schema import is_strict
from domain.llm.model import (
    Attachment,
    ChatMessage,
    Finished,
    ModelRequest,
    Provider,
    ToolRequest,
    ToolSpec,
    WebSource,
)
from domain.llm.openai_chat import OpenAIProvider
from domain.llm.openai_chat_request import chat_body
from domain.llm.preset import COMPATIBLE, DEEPSEEK, OPENAI, PERPLEXITY, preset_of
from domain.llm.thoughts import Thoughts
from tests.models.dialects import DeepSeek, Dialect, OpenAIChat, Perplexity, Responses, chunk, sse
from tests.wire_server import streamed

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
LOOK_UP = ToolSpec("look_up", "Find an order.", {"type": "object", "properties": {"id": {"type": "string"}}})
ASKED = ChatMessage("user", "Where is 42?")
ROUND = (
    ASKED,
    ChatMessage("assistant", "Let me see.", tool_requests=(ToolRequest("c1", "look_up", {"id": "42"}),)),
    ChatMessage("tool", "on its way", tool_request_id="c1"),
)
REQUEST = ModelRequest(model="m", instructions="Be kind.", messages=(ASKED,), max_output_tokens=9)
PASSAGE = Passage("p", uuid4(), uuid4(), "Returns", "", None, 0, 4, "Text")


async def told(provider: Provider, request: ModelRequest) -> tuple[str, Finished]:
    text = ""
    async for piece in provider.stream(request):
        if isinstance(piece, Finished):
            return text, piece
        text += piece.text
    raise AssertionError("a stream ends with Finished")


async def body(dialect: Dialect, request: ModelRequest) -> dict[str, Any]:
    """What the server was asked."""
    async with dialect.talking_to(streamed(dialect.start, *dialect.text("Yes."), dialect.end())) as (provider, server):
        await told(provider, request)
    return server.requests[0]


async def test_openai_is_told_the_limit_by_its_new_name_and_others_by_the_old_one() -> None:
    assert preset_of("openai", None) is OPENAI
    assert preset_of("openai", "https://eu.api.openai.com/v1") is OPENAI
    assert preset_of("openai", "http://127.0.0.1:8000/v1") is COMPATIBLE
    assert preset_of("openai_compatible", "http://127.0.0.1:8000/v1") is COMPATIBLE
    asked = await body(OpenAIChat(), REQUEST)
    assert asked["max_tokens"] == 9
    assert chat_body(REQUEST, OPENAI)["max_completion_tokens"] == 9


@pytest.mark.parametrize(
    ("base_url", "preset", "address"),
    [
        (None, None, "https://api.openai.com/v1"),
        (None, DEEPSEEK, "https://api.deepseek.com/v1"),
        (None, PERPLEXITY, "https://api.perplexity.ai"),
        ("http://127.0.0.1:1/v1", DEEPSEEK, "http://127.0.0.1:1/v1"),
    ],
)
async def test_a_preset_knows_its_address_whatever_the_environment_says(
    base_url: str | None, preset: Any, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    provider = OpenAIProvider(api_key="k", base_url=base_url, default_model="m", preset=preset)
    await provider.close()
    assert str(provider._client.base_url).rstrip("/") == address


async def test_deepseek_thinks_by_a_switch_and_never_after_a_tool_answered() -> None:
    assert "thinking" not in await body(DeepSeek(), REQUEST)
    assert (await body(DeepSeek(), replace(REQUEST, reasoning="high")))["thinking"] == {"type": "enabled"}
    assert (await body(DeepSeek(), replace(REQUEST, reasoning="none")))["thinking"] == {"type": "disabled"}
    later = await body(DeepSeek(), replace(REQUEST, reasoning="high", messages=ROUND))
    assert later["thinking"] == {"type": "disabled"}


async def test_deepseek_is_told_a_schema_in_words() -> None:
    asked = await body(DeepSeek(), replace(REQUEST, output_schema=SCHEMA))
    assert asked["response_format"] == {"type": "json_object"}
    assert json.dumps(SCHEMA) in asked["messages"][0]["content"]


async def test_deepseeks_lack_of_room_is_an_overload_and_its_counts_are_understood() -> None:
    dialect = DeepSeek()
    async with dialect.talking_to(streamed(sse(chunk({}, "insufficient_system_resource")))) as (provider, _):
        with pytest.raises(ProviderUnavailable) as failure:
            await told(provider, REQUEST)
    assert failure.value.kind == "overload"
    answer = streamed(dialect.start, dialect.thought("Hm."), *dialect.text("Yes."), dialect.end())
    async with dialect.talking_to(answer) as (provider, _):
        text, finished = await told(provider, REQUEST)
    assert text == "Yes."
    usage = finished.usage
    assert (usage.input_tokens, usage.cached_tokens, usage.output_tokens, usage.reasoning_tokens) == (12, 8, 3, 2)


async def test_perplexity_gets_turns_that_alternate_and_tools_in_words() -> None:
    history = (ChatMessage("assistant", "Hello!"), ChatMessage("user", "Hi."), *ROUND)
    asked = await body(Perplexity(), replace(REQUEST, messages=history))
    assert [message["role"] for message in asked["messages"]] == ["system", "user", "assistant", "user"]
    assert asked["messages"][1]["content"] == "Hi.\n\nWhere is 42?"
    assert asked["messages"][3]["content"] == "The answer of look_up:\non its way"


async def test_perplexity_refuses_tools_before_it_is_asked() -> None:
    async with Perplexity().talking_to(streamed(b"")) as (provider, server):
        with pytest.raises(ProviderRejected, match="tools"):
            await told(provider, replace(REQUEST, tools=(LOOK_UP,)))
    assert server.requests == []


async def test_perplexitys_pages_come_with_the_reply_and_those_it_cites_below_it() -> None:
    dialect = Perplexity()
    answer = streamed(dialect.start, *dialect.text("Within 30 days", " [1]."), dialect.end())
    async with dialect.talking_to(answer) as (provider, _):
        text, finished = await told(provider, REQUEST)
    assert text == "Within 30 days [1].\n\n[1] Returns https://shop.example/returns"
    assert finished.sources == (
        WebSource("https://shop.example/returns", "Returns"),
        WebSource("https://shop.example/terms"),
    )


async def test_perplexity_searches_nothing_where_the_passages_are_what_counts() -> None:
    asked = await body(Perplexity(), replace(REQUEST, passages=(PASSAGE,)))
    assert asked["disable_search"] is True
    assert "disable_search" not in await body(Perplexity(), REQUEST)
    dialect = Perplexity()
    answer = streamed(dialect.start, *dialect.text("See [1]."), dialect.end())
    async with dialect.talking_to(answer) as (provider, _):
        assert (await told(provider, replace(REQUEST, passages=(PASSAGE,))))[0] == "See [1]."


async def test_responses_are_asked_with_everything_and_told_to_keep_nothing() -> None:
    asked = await body(
        Responses(),
        replace(REQUEST, messages=ROUND, tools=(LOOK_UP,), reasoning="low", output_schema=SCHEMA, temperature=0.5),
    )
    assert asked["store"] is False
    assert asked["instructions"] == "Be kind."
    assert asked["max_output_tokens"] == 16, "it takes no fewer"
    assert asked["reasoning"] == {"effort": "low"}
    assert asked["tools"][0] == {
        "type": "function", "name": "look_up", "description": "Find an order.", "strict": False,
        "parameters": LOOK_UP.parameters,
    }  # fmt: skip
    assert asked["text"]["format"]["schema"] == SCHEMA
    assert asked["text"]["format"]["strict"] is True
    assert asked["input"] == [
        {"type": "message", "role": "user", "content": "Where is 42?"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Let me see."}]},
        {"type": "function_call", "call_id": "c1", "name": "look_up", "arguments": '{"id": "42"}'},
        {"type": "function_call_output", "call_id": "c1", "output": "on its way"},
    ]


async def test_responses_refusals_are_text_that_ends_as_refused() -> None:
    refusal = b'event: x\ndata: {"type": "response.refusal.delta", "delta": "I cannot."}\n\n'
    async with Responses().talking_to(streamed(refusal, Responses().end())) as (provider, _):
        text, finished = await told(provider, REQUEST)
    assert (text, finished.finish, finished.usage.reasoning_tokens) == ("I cannot.", "refused", 1)


@pytest.mark.parametrize("dialect", [OpenAIChat(), Responses()], ids=lambda dialect: dialect.name)
async def test_images_and_files_go_as_what_they_are(dialect: Dialect) -> None:
    given = (Attachment("image/png", b"\x89PNG", "a.png"), Attachment("application/pdf", b"%PDF", "b.pdf"))
    asked = await body(dialect, replace(REQUEST, messages=(ChatMessage("user", "What is it?", attachments=given),)))
    parts = (asked.get("input") or asked["messages"])[-1]["content"]
    kinds = [part["type"] for part in parts]
    assert kinds in (["text", "image_url", "file"], ["input_text", "input_image", "input_file"])
    assert "data:image/png;base64,iVBORw==" in json.dumps(parts[1])
    assert "data:application/pdf;base64,JVBERg==" in json.dumps(parts[2])
    assert "b.pdf" in json.dumps(parts[2])


@pytest.mark.parametrize("dialect", [OpenAIChat(), DeepSeek(), Perplexity(), Responses()], ids=lambda d: d.name)
async def test_a_reply_goes_on_after_what_readers_have_seen(dialect: Dialect) -> None:
    answer = streamed(dialect.start, *dialect.text("you", " can."), dialect.end())
    async with dialect.talking_to(answer) as (provider, server):
        text, _ = await told(provider, replace(REQUEST, prefix="Yes, you"))
    assert text == " can."
    *_, seen, instruction = server.requests[0].get("input") or server.requests[0]["messages"]
    assert (seen["role"], instruction["role"]) == ("assistant", "user")
    assert seen["content"] in ("Yes, you", [{"type": "output_text", "text": "Yes, you"}])


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (SCHEMA, True),
        ({**SCHEMA, "required": []}, False),
        ({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}, False),
        ({**SCHEMA, "properties": {"a": {"type": "object", "properties": {}}}}, False),
        ({**SCHEMA, "properties": {"a": {"type": "array", "items": SCHEMA}}}, True),
        ({**SCHEMA, "properties": {"a": {"oneOf": [SCHEMA]}}}, False),
        ({**SCHEMA, "properties": {"a": {"enum": [{"not": "a schema"}]}}}, True),
        ({"anyOf": [SCHEMA]}, False),
    ],
)
def test_a_schema_is_strict_only_where_openai_takes_it_so(schema: dict[str, Any], strict: bool) -> None:
    assert is_strict(schema) is strict


@pytest.mark.parametrize(
    ("pieces", "seen"),
    [
        (["Yes."], "Yes."),
        (["<think>Hm.</think>Yes."], "Yes."),
        (["\n<th", "ink>", "a < b</thi", "nk>\n\n", "Yes."], "Yes."),
        (["<", "b>", "Yes."], "<b>Yes."),
        (["Say <think>x</think>."], "Say <think>x</think>."),
        (["<think>never closed", " and on"], ""),
        (["<thi"], "<thi"),
        ([" ", "Yes."], " Yes."),
    ],
)
def test_thoughts_that_a_server_leaves_in_the_text_are_never_seen(pieces: list[str], seen: str) -> None:
    thoughts = Thoughts()
    assert "".join(thoughts.without(piece) for piece in pieces) + thoughts.finish() == seen
