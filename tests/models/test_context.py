"""What is asked always fits the model's window, whatever was said, found or answered by tools before."""

import random
import string
from collections.abc import Sequence
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.turn import ToolResult
from domain.agents.config import AgentConfig, HttpTool, ModelSettings
from domain.knowledge.passage import Passage
from domain.llm.fit import BLOCK, count, fit
from domain.llm.model import Attachment, ChatMessage, Exchange, ModelRequest
from domain.llm.prompt import build_request
from domain.llm.tokens import at_most, counter, family
from domain.llm.window import LEFT_OUT, UNKNOWN_TOKENS, Window, published_tokens, shortened, window

SENTENCE = "What you bought in our shop may be sent back within thirty days after its delivery. "
CHINESE = "退货政策规定三十天内可以退货。"
SMALL = counter(family("local", "smollm2"))


def passage(text: str) -> Passage:
    return Passage("p", uuid4(), uuid4(), "Returns", "Times", None, 0, len(text), text)


def answered(number: int, text: str) -> ToolResult:
    return ToolResult(key=f"1.{number}", name="find", arguments={"order": number}, state="succeeded", content=text)


def talk(messages: int, text: str) -> list[ChatMessage]:
    return [ChatMessage("user" if n % 2 == 0 else "assistant", f"{n} {text}") for n in range(messages)]


def tools(number: int) -> list[HttpTool]:
    each = {"url": "https://example.com/find", "description": SENTENCE * 5}
    return [HttpTool.model_validate({"name": f"find_{n}", **each}) for n in range(number)]


def request_of(exchange: Exchange, *, prefix: str = "", **config: object) -> ModelRequest:
    return build_request(AgentConfig.model_validate(config), exchange, model="m", prefix=prefix)


MEGABYTES = {
    "prose": SENTENCE * 12_000,
    "chinese": CHINESE * 25_000,
    "thai": "กขคง" * 80_000,
    "one letter": "a" * 1_000_000,
    "spaces": f"x{' ' * 1_000_000}y",
    "pictures": "🙂" * 250_000,
    "noise": "".join(random.Random(4).choices(string.printable, k=1_000_000)),
    "half a surrogate pair": "\ud800" * 300_000,
}
HUGE = {
    **{f"a megabyte of {name}": Exchange(text) for name, text in MEGABYTES.items()},
    "a hundred long messages": Exchange("And?", talk(100, SENTENCE * 300)),
    "huge passages": Exchange("And?", talk(2, "Hi"), [passage(SENTENCE * 9_000) for _ in range(20)]),
    "many passages": Exchange("And?", talk(20, SENTENCE), [passage(SENTENCE * 12) for _ in range(20)]),
    "huge tool results": Exchange(
        "And?", talk(2, "Hi"), [passage(SENTENCE)], [answered(n, SENTENCE * 9_000) for n in range(20)], SENTENCE * 50
    ),
    "huge tool arguments": Exchange(
        "And?", tool_results=[answered(1, "ok").model_copy(update={"arguments": {"all": SENTENCE * 9_000}})]
    ),
    "everything at once": Exchange(
        SENTENCE * 9_000,
        talk(100, SENTENCE * 300),
        [passage(SENTENCE * 900) for _ in range(20)],
        [answered(n, CHINESE * 5_000) for n in range(20)],
        SENTENCE * 500,
        summary=SENTENCE * 20,
    ),
}


@pytest.mark.parametrize("tokens", [1024, 4096, 8192, 128_000])
@pytest.mark.parametrize("exchange", HUGE.values(), ids=HUGE)
@pytest.mark.parametrize(
    "config", [{}, {"tools": tools(64)}, {"instructions": SENTENCE * 400}], ids=["plain", "64 tools", "long rules"]
)
def test_nothing_overflows_a_window(config: dict[str, object], exchange: Exchange, tokens: int) -> None:
    request = request_of(exchange, prefix="What was said already. " * 10, **config)
    fitted = fit(request, Window(tokens, SMALL)).request
    assert count(fitted, Window(tokens, SMALL)) + fitted.max_output_tokens <= tokens
    assert fitted.messages[0].role == "user"
    assert fitted.instructions
    assert any(message.text for message in fitted.messages)


SIZES = st.integers(0, 3_000)
TEXTS = st.builds(lambda words, script: script * words, SIZES, st.sampled_from([SENTENCE, CHINESE, "x", "\n", "🙂 "]))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1024, 20_000),
    st.builds(
        Exchange,
        TEXTS,
        st.lists(st.builds(ChatMessage, st.sampled_from(["user", "assistant"]), TEXTS), max_size=40),
        st.lists(st.builds(passage, TEXTS), max_size=20),
        st.lists(st.builds(answered, SIZES, TEXTS), max_size=10),
        TEXTS,
        summary=st.sampled_from(["", SENTENCE * 20]),
        history_start=st.integers(1, 99),
    ),
    st.integers(1, 4_000),
)
def test_whatever_is_asked_fits(tokens: int, exchange: Exchange, reply: int) -> None:
    request = request_of(exchange, tools=tools(8), model=ModelSettings(max_output_tokens=reply))
    small = Window(tokens, SMALL)
    fitted = fit(request, small).request
    assert count(fitted, small) + fitted.max_output_tokens <= tokens
    assert fit(fitted, small).request.messages == fitted.messages


def test_what_fits_is_not_touched() -> None:
    exchange = Exchange("And?", talk(20, SENTENCE), [passage(SENTENCE * 12)] * 6, [answered(1, SENTENCE)])
    request = request_of(exchange, tools=tools(2))
    assert fit(request, window("openai", "gpt-4o-mini")).request is request
    assert fit(request, window("extractive", "extractive")).request is request


def test_the_question_and_the_latest_messages_stay_and_the_oldest_go_in_blocks() -> None:
    starts = set[int]()
    for turns in range(20, 26):
        request = request_of(Exchange("The question?", talk(2 * turns, SENTENCE * 3)))
        fitted = fit(request, Window(4096, SMALL))
        kept = fitted.request.messages[:-1]
        assert fitted.left_out is not None
        assert fitted.request.messages[-1].text == "The question?"
        assert kept == request.messages[:-1][-len(kept) :]
        assert fitted.left_out.history + len(kept) == 2 * turns
        assert fitted.request.lasting == len(kept)
        assert fitted.left_out.history % BLOCK == 0
        starts.add(fitted.left_out.history)
    assert len(starts) <= 3, "else a provider's cache would begin anew in each turn"


def test_passages_keep_their_numbers_and_the_best_of_them_stay() -> None:
    found = [passage(f"Fact {n}. {SENTENCE * 30}") for n in range(1, 13)]
    fitted = fit(request_of(Exchange("Which?", passages=found)), Window(4096, SMALL)).request
    assert 0 < len(fitted.passages) < 12
    for number, kept in enumerate(fitted.passages, 1):
        assert kept.text.startswith(f"Fact {number}.")
        assert f'<passage number="{number}"' in fitted.messages[-1].text


def test_short_tool_results_stay_whole_beside_a_long_one() -> None:
    results = [answered(1, "The order is W1."), answered(2, SENTENCE * 900), answered(3, "It was sent on Monday.")]
    fitted = fit(request_of(Exchange("And?", tool_results=results)), Window(4096, SMALL))
    texts = [message.text for message in fitted.request.messages if message.role == "tool"]
    assert (texts[0], texts[2]) == (results[0].content, results[2].content)
    assert texts[1].startswith(SENTENCE)
    assert LEFT_OUT.strip() in texts[1]
    assert texts[1].endswith("delivery. ")
    assert fitted.left_out is not None
    assert fitted.left_out.shortened == ["tool_results"]


def test_a_long_message_keeps_its_beginning_and_its_end() -> None:
    fitted = fit(request_of(Exchange(f"My order is W1. {SENTENCE * 9_000} Where is it?")), Window(4096, SMALL))
    text = fitted.request.messages[-1].text
    assert text.startswith("My order is W1.")
    assert text.endswith("Where is it?")
    assert LEFT_OUT in text


def test_the_reply_has_room_and_never_more_than_half_of_the_window() -> None:
    request = request_of(Exchange("Hi"), model=ModelSettings(max_output_tokens=200_000))
    assert fit(request, Window(8192, SMALL)).request.max_output_tokens == 4096
    assert fit(request, window("openai", "gpt-4.1-mini")).request.max_output_tokens == 200_000


def test_a_fitted_request_can_be_fitted_to_a_smaller_window() -> None:
    request = request_of(Exchange("And?", talk(60, SENTENCE * 3), [passage(SENTENCE * 12)] * 6))
    larger = fit(request, Window(8192, SMALL)).request
    assert fit(larger, Window(2048, SMALL)).request.messages == fit(request, Window(2048, SMALL)).request.messages
    assert fit(larger, Window(8192, SMALL)).request.messages == larger.messages


def test_a_picture_takes_its_room() -> None:
    picture = Attachment("image/png", b"x" * 900_000)
    asked = Exchange("What is this?", talk(60, SENTENCE * 3), attachments=(picture,))
    fitted = fit(request_of(asked), Window(4096, SMALL)).request
    assert fitted.messages[-1].attachments == (picture,)
    assert count(fitted, Window(4096, SMALL)) + fitted.max_output_tokens <= 4096


def test_a_file_of_megabytes_does_not_take_the_question_its_room() -> None:
    manual = Attachment("application/pdf", b"x" * 9_000_000)
    fitted = fit(request_of(Exchange("What is this?", attachments=(manual,))), Window(4096, SMALL)).request
    assert fitted.messages[-1].text == "What is this?"
    assert fitted.messages[-1].attachments == (manual,)


@pytest.mark.parametrize(
    ("provider", "model", "tokens"),
    [
        ("openai", "gpt-4o-mini", 128_000),
        ("my-openai", "gpt-4o-mini", 128_000),
        ("anthropic", "claude-sonnet-4-5", 200_000),
        ("gemini", "gemini-2.5-flash", 1_048_576),
        ("openai", "gpt-99-of-next-year", 128_000),
        ("my-server", "my-model", UNKNOWN_TOKENS),
        ("my-server", "gpt-oss:20b", UNKNOWN_TOKENS),
        ("my-server", "deepseek-r1:8b", UNKNOWN_TOKENS),
        ("openai_responses", "gpt-5", 400_000),
    ],
)
def test_windows_are_known_offline(provider: str, model: str, tokens: int) -> None:
    assert published_tokens(provider, model) == tokens
    assert window(provider, model, 3000).tokens == 3000


@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini", "my-server"])
def test_counts_are_upper_bounds_but_no_wild_ones(provider: str) -> None:
    exact, bound = counter(family("openai", "gpt-4o")), counter(family(provider, ""))
    for text in (SENTENCE * 20, CHINESE * 20, "Straße, Größe und Übermaß. " * 20, "{}[]!? " * 50):
        assert exact.count(text) <= bound.count(text) <= at_most(text)
    assert bound.count(SENTENCE * 20) < 2 * exact.count(SENTENCE * 20)
    assert exact.count(SENTENCE * 20) == 341


@pytest.mark.parametrize("most", [0, 10, 40, 1000])
def test_shortening_ends_below_its_limit(most: int) -> None:
    texts: Sequence[str] = [*MEGABYTES.values(), "", "short"]
    assert all(SMALL.count(shortened(text, most, SMALL)) <= most for text in texts)
