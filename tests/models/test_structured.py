"""A reply that has to fit a JSON Schema fits it when anybody sees it, or the call fails; and every call is counted."""

import json
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from domain.agents.config import AgentConfig
from domain.errors import ProviderGarbage, ProviderRejected
from domain.llm.model import ChatMessage, Finished, ModelRequest, Provider, TextPiece, ToolSpec
from domain.llm.prompt import Exchange, build_request
from domain.llm.structured import Structured
from tests.models.dialects import DIALECTS, Dialect
from tests.wire_server import streamed

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"answer": {"type": "string"}, "sure": {"type": "boolean"}},
    "required": ["answer", "sure"],
    "additionalProperties": False,
}
REQUEST = ModelRequest(
    model="m", instructions="Be kind.", messages=(ChatMessage("user", "Open on Sunday?"),), output_schema=SCHEMA
)
GOOD = '{"answer": "Yes", "sure": true}'
each = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
OPENAI = DIALECTS[0]


def saying(dialect: Dialect, text: str, reason: str = "stop") -> Any:
    return streamed(dialect.start, *dialect.text(text[:5], text[5:]), dialect.end(reason))


async def asked(provider: Provider, request: ModelRequest = REQUEST) -> tuple[list[str], Finished]:
    texts: list[str] = []
    async for piece in Structured(provider).stream(request):
        if isinstance(piece, Finished):
            return texts, piece
        texts.append(piece.text)
    raise AssertionError("a stream ends with Finished")


@each
async def test_a_reply_that_fits_comes_in_one_piece_and_the_schema_went_along(dialect: Dialect) -> None:
    async with dialect.talking_to(saying(dialect, GOOD)) as (provider, server):
        texts, finished = await asked(provider)
    assert (texts, finished.finish, finished.usage.output_tokens) == ([GOOD], "stop", 3)
    assert len(server.requests) == 1
    assert '"sure"' in json.dumps(server.requests[0]).replace('\\"', '"')


@each
async def test_a_reply_that_does_not_fit_is_asked_for_once_more_with_its_faults(dialect: Dialect) -> None:
    answers = (saying(dialect, '{"answer": "Yes"}'), saying(dialect, GOOD))
    async with dialect.talking_to(*answers) as (provider, server):
        texts, finished = await asked(provider)
    assert texts == [GOOD]
    assert (finished.usage.input_tokens, finished.usage.output_tokens) == (24, 6), "both calls are counted"
    again = json.dumps(server.requests[1]).replace('\\"', '"').replace("\\\\", "\\")
    assert "sure" in again
    assert '{"answer": "Yes"}' in again.replace('\\"', '"')


@each
async def test_a_second_misfit_is_garbage_with_what_it_cost(dialect: Dialect) -> None:
    async with dialect.talking_to(saying(dialect, "I am open.")) as (provider, server):
        with pytest.raises(ProviderGarbage, match="twice") as failure:
            await asked(provider)
    assert len(server.requests) == 2
    assert failure.value.usage is not None
    assert failure.value.usage.input_tokens == 24


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (f"```json\n{GOOD}\n```", {"answer": "Yes", "sure": True}),
        ("{'answer': 'Yes', 'sure': True,}", {"answer": "Yes", "sure": True}),
        (f"  {GOOD}\n", {"answer": "Yes", "sure": True}),
    ],
)
async def test_what_has_one_meaning_is_mended_without_another_call(said: str, shown: dict[str, Any]) -> None:
    async with OPENAI.talking_to(saying(OPENAI, said)) as (provider, server):
        texts, _ = await asked(provider)
    assert [json.loads(text) for text in texts] == [shown]
    assert len(server.requests) == 1


async def test_a_reply_that_was_cut_off_is_never_mended() -> None:
    answers = (saying(OPENAI, '{"answer": "Yes", "sure": true', "length"), saying(OPENAI, GOOD))
    async with OPENAI.talking_to(*answers) as (provider, server):
        assert (await asked(provider))[0] == [GOOD]
    assert len(server.requests) == 2


async def test_a_tool_call_in_between_is_passed_on() -> None:
    tool = ToolSpec("look_up", "", {"type": "object", "properties": {}})
    request = ModelRequest(model="m", instructions="", messages=REQUEST.messages, tools=(tool,), output_schema=SCHEMA)
    answer = streamed(OPENAI.start, OPENAI.tool(0, "a", "look_up", "{}"), OPENAI.end("tools"))
    async with OPENAI.talking_to(answer) as (provider, _):
        texts, finished = await asked(provider, request)
    assert (texts, finished.finish, finished.tool_requests[0].name) == ([], "tool_calls", "look_up")


async def test_a_filtered_reply_is_not_asked_for_again() -> None:
    async with OPENAI.talking_to(streamed(OPENAI.start, OPENAI.end("filter"))) as (provider, server):
        with pytest.raises(ProviderRejected):
            await asked(provider)
    assert len(server.requests) == 1


async def test_after_a_crash_the_rest_goes_on_and_a_whole_reply_costs_nothing_more() -> None:
    async with OPENAI.talking_to(saying(OPENAI, ' "Yes", "sure": true}')) as (provider, server):
        begun = ModelRequest(
            model="m", instructions="", messages=REQUEST.messages, output_schema=SCHEMA, prefix='{"answer":'
        )
        assert "".join((await asked(provider, begun))[0]) == ' "Yes", "sure": true}'
        texts, finished = await asked(provider, replace(REQUEST, prefix=GOOD))
    assert (texts, finished.finish, finished.usage.output_tokens) == ([], "stop", 0)
    assert len(server.requests) == 1


async def test_other_requests_stream_as_they_did() -> None:
    plain = ModelRequest(model="m", instructions="", messages=REQUEST.messages)
    async with OPENAI.talking_to(saying(OPENAI, "Yes, we are.")) as (provider, _):
        pieces = [piece async for piece in Structured(provider).stream(plain)]
    assert [piece.text for piece in pieces if isinstance(piece, TextPiece)] == ["Yes, ", "we are."]


def test_an_agents_setting_becomes_the_requests() -> None:
    config = AgentConfig.model_validate({"model": {"output_schema": SCHEMA, "reasoning": "low"}})
    request = build_request(config, Exchange(text="Open on Sunday?"), model="m")
    assert (request.output_schema, request.reasoning) == (SCHEMA, "low")


@pytest.mark.parametrize(
    "schema", [{"type": "objekt"}, {"type": "array"}, {}, {"type": "object", "$ref": "https://away.example/schema"}]
)
def test_a_schema_that_no_reply_could_fit_is_refused_when_the_agent_is_saved(schema: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="output_schema"):
        AgentConfig.model_validate({"model": {"output_schema": schema}})
