"""What Anthropic is asked for in its own words: what to keep, how long to think, and what to look at."""

import base64
from dataclasses import replace
from typing import Any

import pytest

from domain.errors import ProviderRejected
from domain.llm.model import Attachment, ChatMessage, Finished, ModelRequest, Reasoning, ToolRequest, ToolSpec
from tests.models.dialects import Anthropic, named
from tests.wire_server import streamed

SAYS = Anthropic()
KEEP = {"type": "ephemeral"}
TOOL = ToolSpec("look_up", "Find an order.", {"type": "object", "properties": {"id": {"type": "string"}}})
REQUEST = ModelRequest(
    model="claude-sonnet-5-5",
    instructions="Be kind.",
    messages=(
        ChatMessage("user", "Hello."),
        ChatMessage("assistant", "Hello!"),
        ChatMessage("user", "Where is 42?"),
    ),
    lasting=2,
)


async def sent(request: ModelRequest) -> tuple[dict[str, Any], Finished]:
    """What the server was asked, and how the reply ended."""
    started = {
        "type": "message_start",
        "message": {
            "id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None,
            "usage": {
                "input_tokens": 4, "cache_read_input_tokens": 8, "cache_creation_input_tokens": 30, "output_tokens": 1,
            },
        },
    }  # fmt: skip
    ended = {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn"},
        "usage": {"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 5}},
    }
    answer = streamed(named(started), SAYS.thought("Hm."), *SAYS.text("Soon."), named(ended, {"type": "message_stop"}))
    async with SAYS.talking_to(answer) as (provider, server):
        pieces = [piece async for piece in provider.stream(request)]
    assert isinstance(pieces[-1], Finished)
    assert "".join(piece.text for piece in pieces if not isinstance(piece, Finished)) == "Soon."
    return server.requests[0], pieces[-1]


async def test_what_was_kept_and_what_was_thought_is_counted() -> None:
    _, finished = await sent(REQUEST)
    used = finished.usage
    assert (used.input_tokens, used.cached_tokens, used.cache_written_tokens) == (42, 8, 30)
    assert (used.output_tokens, used.reasoning_tokens) == (9, 5)


async def test_the_agents_part_and_the_earlier_messages_are_kept() -> None:
    asked, _ = await sent(REQUEST)
    assert asked["system"] == [{"type": "text", "text": "Be kind.", "cache_control": KEEP}]
    assert [message["content"][-1].get("cache_control") for message in asked["messages"]] == [None, KEEP, None]


async def test_a_turn_that_may_go_on_after_a_tool_keeps_all_of_it() -> None:
    asked, _ = await sent(replace(REQUEST, tools=(TOOL,)))
    assert asked["messages"][-1]["content"][-1]["cache_control"] == KEEP


async def test_nothing_is_kept_where_that_is_not_wanted() -> None:
    asked, _ = await sent(replace(REQUEST, tools=(TOOL,), cache=False))
    assert "cache_control" not in str(asked)


async def test_the_mark_stands_at_the_end_of_what_lasts_though_messages_are_put_together() -> None:
    burst = (ChatMessage("user", "Hello."), ChatMessage("user", "Where is 42?"))
    asked, _ = await sent(replace(REQUEST, messages=burst, lasting=1))
    assert [block.get("cache_control") for block in asked["messages"][0]["content"]] == [KEEP, None]


@pytest.mark.parametrize(
    ("model", "reasoning", "thinking", "effort"),
    [
        ("claude-haiku-4-5", None, None, None),
        ("claude-haiku-4-5", "none", None, None),
        ("claude-haiku-4-5", "low", {"type": "enabled", "budget_tokens": 2048}, None),
        ("claude-haiku-4-5-20251001", "high", {"type": "enabled", "budget_tokens": 4000}, None),
        ("claude-opus-4-5", "medium", {"type": "enabled", "budget_tokens": 4000}, None),
        ("claude-sonnet-4-6", "medium", {"type": "adaptive"}, "medium"),
        ("claude-opus-5", "high", {"type": "adaptive"}, "high"),
        ("claude-sonnet-5-5", "none", {"type": "disabled"}, None),
    ],
)
async def test_it_is_told_how_long_to_think_in_the_words_of_its_generation(
    model: str, reasoning: Reasoning | None, thinking: dict[str, Any] | None, effort: str | None
) -> None:
    asked, _ = await sent(replace(REQUEST, model=model, reasoning=reasoning, max_output_tokens=8000, temperature=0.5))
    assert asked.get("thinking") == thinking
    assert asked.get("output_config", {}).get("effort") == effort
    thinks = thinking is not None and thinking["type"] != "disabled"
    assert ("temperature" in asked) is not thinks, "whoever thinks takes no temperature"


async def test_it_does_not_think_where_nothing_would_be_left_to_say() -> None:
    asked, _ = await sent(replace(REQUEST, model="claude-haiku-4-5", reasoning="high", max_output_tokens=1024))
    assert "thinking" not in asked


async def test_after_a_tool_it_does_not_think_as_its_earlier_thoughts_are_gone() -> None:
    messages = (
        *REQUEST.messages,
        ChatMessage("assistant", "", tool_requests=(ToolRequest("0.0", "look_up", {"id": "42"}),)),
        ChatMessage("tool", "on its way", tool_request_id="0.0"),
    )
    asked, _ = await sent(
        replace(REQUEST, messages=messages, model="claude-haiku-4-5", reasoning="high", max_output_tokens=8000)
    )
    assert "thinking" not in asked


async def test_a_closed_schema_is_asked_for_as_it_is_and_another_one_in_words() -> None:
    closed = {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    }
    asked, _ = await sent(replace(REQUEST, output_schema=closed))
    assert asked["output_config"] == {"format": {"type": "json_schema", "schema": closed}}
    asked, _ = await sent(replace(REQUEST, output_schema=closed, model="claude-opus-5", reasoning="low"))
    assert asked["output_config"]["format"]["schema"] == closed
    asked, _ = await sent(replace(REQUEST, output_schema={"type": "object"}))
    assert "output_config" not in asked
    assert "JSON Schema" in asked["system"][0]["text"]


async def test_images_and_files_stand_before_the_question() -> None:
    seen = ChatMessage(
        "user",
        "What is it?",
        attachments=(
            Attachment("image/png", b"\x89PNG"),
            Attachment("application/pdf", b"%PDF", "terms.pdf"),
            Attachment("text/markdown", "Zoë".encode(), "note.md"),
        ),
    )
    asked, _ = await sent(replace(REQUEST, messages=(seen,), lasting=0))
    image, pdf, note, text = asked["messages"][0]["content"]
    assert (image["type"], image["source"]["media_type"]) == ("image", "image/png")
    assert base64.b64decode(image["source"]["data"]) == b"\x89PNG"
    assert (pdf["type"], pdf["title"], pdf["source"]["media_type"]) == ("document", "terms.pdf", "application/pdf")
    assert note["source"] == {"type": "text", "media_type": "text/plain", "data": "Zoë"}
    assert text == {"type": "text", "text": "What is it?"}


async def test_a_file_that_it_cannot_read_is_refused_without_asking_it() -> None:
    sheet = ChatMessage("user", "Sum it.", attachments=(Attachment("application/vnd.ms-excel", b"x"),))
    with pytest.raises(ProviderRejected, match="ms-excel"):
        await sent(replace(REQUEST, messages=(sheet,)))
