"""Broken tool calls are mended where one reading is certain; nothing that was cut off or left out is ever made up."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.turn import Usage
from domain.errors import ProviderGarbage
from domain.llm.model import ToolRequest, ToolSpec
from domain.llm.tool_calls import ToolFragments
from domain.llm.tool_json import mended

REFUND = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "amount": {"type": "integer"}, "note": {"type": "string"}},
    "required": ["id"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ('{"id": "42",}', {"id": "42"}),
        ("{'id': '42'}", {"id": "42"}),
        ("{id: '42'}", {"id": "42"}),
        ('```json\n{"id": "42"}\n```', {"id": "42"}),
        ('{}{"id": "42"}', {"id": "42"}),
        ('{"id": "42"}{"id": "42"}', {"id": "42"}),
        ('{"id": "42"}}', {"id": "42"}),
        ('{"id": "42" "amount": 7}', {"id": "42", "amount": 7}),
        ('{"id": "two\nlines"}', {"id": "two\nlines"}),
        ('{"id": "42" // the order\n}', {"id": "42"}),
    ],
)
def test_one_certain_reading_is_taken(text: str, meant: dict[str, Any]) -> None:
    assert mended(text, REFUND) == meant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "refund(id=42)",
        '{"id": "4',
        '{"id": "42", "amount": 1',
        '{"id": "42", "amount": 10',
        '{"id": "42"',
        '{"id": {"x": "42"}',
        '{"id": }',
        '{"id": "42", "amount": }',
        '{"id": "42", "amount": ,}',
        '{"id": "41"}{"id": "42"}',
        '{"id": "42"} and {"id": "43",}',
        '["42"',
        '{"id": 42,}',
        '{"id": "42", "amount": "7",}',
        '{"id": "42", "extra": 1,}',
        "{" * 60_000,
        "[" * 40_000,
    ],
)
def test_everything_else_is_refused(text: str) -> None:
    assert mended(text, REFUND) is None


def test_without_a_schema_nothing_is_mended() -> None:
    assert mended("{'id': '42'}", None) is None
    assert mended("{'id': '42'}", {"type": "objekt"}) is None


@given(amount=st.integers(10, 10**9), at=st.integers(1, 40))
@settings(max_examples=200, deadline=None)
def test_no_cut_off_call_ever_becomes_another_one(amount: int, at: int) -> None:
    whole = f'{{"id": "42", "amount": {amount}, "note": "a {{b}} c"}}'
    assert mended(whole[: min(at, len(whole) - 1)], REFUND) is None


def gathered(*fragments: tuple[int, str, str, str]) -> ToolFragments:
    calls = ToolFragments("near")
    for index, id, name, text in fragments:
        calls.add(index, id=id or None, name=name or None, fragment=text)
    return calls


def test_calls_that_all_have_the_index_0_are_told_apart_by_their_ids() -> None:
    calls = gathered((0, "a", "refund", '{"id": "1"}'), (0, "b", "refund", '{"id"'), (0, "", "", ': "2"}'))
    assert calls.requests() == (ToolRequest("a", "refund", {"id": "1"}), ToolRequest("b", "refund", {"id": "2"}))


def test_an_id_that_comes_with_every_fragment_is_one_call() -> None:
    calls = gathered((0, "a", "refund", '{"id"'), (0, "a", "refund", ': "1"}'))
    assert calls.requests() == (ToolRequest("a", "refund", {"id": "1"}),)


def test_ids_are_made_up_where_there_are_none_and_never_given_twice() -> None:
    calls = gathered((0, "", "refund", '{"id": "1"}'), (1, "", "refund", '{"id": "1"}'), (2, "call_0", "refund", "{}"))
    assert [call.id for call in calls.requests()] == ["call_0", "call_1", "call_0_2"]


def test_a_refusal_says_which_tool_and_what_it_cost() -> None:
    refund = ToolSpec("refund", "", REFUND)
    for cut, why in ((False, "refund .* cannot be mended"), (True, "refund .* cut off")):
        with pytest.raises(ProviderGarbage, match=why) as failure:
            gathered((0, "a", "refund", '{"id": "4')).requests((refund,), cut=cut, usage=Usage(input_tokens=3))
        assert failure.value.usage == Usage(input_tokens=3)
    with pytest.raises(ProviderGarbage, match="without a name"):
        gathered((0, "a", "", "{}")).requests()
