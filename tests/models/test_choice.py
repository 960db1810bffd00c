"""Routing as a table: what is asked x what the policy says x how the models are doing -> who is asked, and why not."""

from collections.abc import Mapping
from typing import Any

import pytest

from domain.errors import FailureKind
from domain.llm.model import Attachment, ChatMessage, ModelRequest, ToolSpec
from domain.models.choice import Choice, Health, Need, Option, choose
from domain.models.facts import ModelFacts, needs, size
from domain.models.moves import MOVES, reorder
from domain.models.policy import Candidate, Capability, ModelPolicy

OPEN, HALF_OPEN, PROBING = Health("open", 12, "rate"), Health("half_open"), Health("probing", 3)
SMALL, BIG, HUGE, EUROPEAN, LOCAL = "acme/small", "acme/big", "vast/huge", "euro/mid", "extractive/extractive"


class World:
    """Five models of four providers, as if these were configured."""

    windows: Mapping[str, int] = {"small": 8_000, "big": 128_000, "huge": 1_000_000, "mid": 32_000, "tiny": 4_000}
    regions: Mapping[str, str] = {"acme": "us", "vast": "us", "euro": "eu"}
    lacks: Mapping[str, frozenset[Capability]] = {
        "small": frozenset({"images"}),
        "extractive": frozenset({"tools", "images", "files", "json_schema", "reasoning"}),
    }

    def of(self, candidate: Candidate) -> ModelFacts | None:
        if candidate.provider not in {*self.regions, "extractive"}:
            return None
        model = candidate.model or candidate.provider
        return ModelFacts(
            model,
            candidate.context_tokens or self.windows.get(model, 10_000_000),
            "",
            self.lacks.get(model, frozenset()) | frozenset(candidate.lacks),
            candidate.region or self.regions.get(candidate.provider),
        )


PRICES = {("acme", "small"): 1_000, ("acme", "big"): 10_000, ("vast", "huge"): 20_000, ("euro", "mid"): 5_000}
"""Micros of the call in question, at the worst; what runs here costs nothing."""


def listed(*names: str) -> list[dict[str, str]]:
    return [dict(zip(("provider", "model"), name.split("/"), strict=True)) for name in names]


USUAL: dict[str, Any] = {"tasks": {"reply": listed(SMALL, BIG, EUROPEAN, LOCAL)}}


def tried(choice: Choice) -> list[str]:
    return [f"{option.provider}/{option.model}{'?' if option.probe else ''}" for option in choice.options]


def refused(choice: Choice) -> dict[str, str]:
    return {f"{each.provider}/{each.model}": each.why for each in choice.passed_over}


@pytest.mark.parametrize(
    ("need", "policy", "health", "asked", "passed_over"),
    [
        pytest.param({}, {}, {}, [SMALL, BIG, EUROPEAN, LOCAL], {}, id="all well: the order of the policy"),
        pytest.param({}, {}, {SMALL: OPEN}, [BIG, EUROPEAN, LOCAL], {SMALL: "open"}, id="an open one is passed over"),
        pytest.param({}, {}, {SMALL: HALF_OPEN}, [f"{SMALL}?", BIG, EUROPEAN, LOCAL], {}, id="a half-open one probes"),
        pytest.param({}, {}, {SMALL: PROBING}, [BIG, EUROPEAN, LOCAL], {SMALL: "probing"}, id="one probe at a time"),
        pytest.param(
            {},
            {"tasks": {"reply": listed(SMALL, BIG)}},
            {SMALL: OPEN, BIG: OPEN},
            [],
            {SMALL: "open", BIG: "open"},
            id="all open: nobody is asked",
        ),
        pytest.param(
            {"capabilities": ["tools"]}, {}, {}, [SMALL, BIG, EUROPEAN], {LOCAL: "capability"}, id="tools are needed"
        ),
        pytest.param(
            {"capabilities": ["images", "tools"]},
            {},
            {},
            [BIG, EUROPEAN],
            {SMALL: "capability", LOCAL: "capability"},
            id="images are needed",
        ),
        pytest.param(
            {"capabilities": ["json_schema"]},
            {"tasks": {"reply": [{**listed(BIG)[0], "lacks": ["json_schema"]}, *listed(EUROPEAN)]}},
            {},
            [EUROPEAN],
            {BIG: "capability"},
            id="what a candidate says it lacks",
        ),
        pytest.param(
            {"input_tokens": 7_500, "output_tokens": 1_000},
            {},
            {},
            [BIG, EUROPEAN, LOCAL],
            {SMALL: "context"},
            id="too long for one",
        ),
        pytest.param(
            {"input_tokens": 200_000},
            {"tasks": {"reply": listed(SMALL, BIG), "long_context": listed(HUGE)}},
            {},
            [HUGE],
            {SMALL: "context", BIG: "context"},
            id="too long for all: long_context is asked",
        ),
        pytest.param(
            {"input_tokens": 9_000},
            {"tasks": {"reply": listed(SMALL, BIG), "long_context": listed(HUGE)}},
            {},
            [BIG, HUGE],
            {SMALL: "context"},
            id="too long for one: long_context stands behind",
        ),
        pytest.param(
            {"input_tokens": 200_000, "capabilities": ["tools"]},
            {},
            {SMALL: HALF_OPEN},
            [BIG, EUROPEAN, f"{SMALL}?"],
            {LOCAL: "capability"},
            id="too long for every window: shortened for the largest",
        ),
        pytest.param(
            {"input_tokens": 200_000},
            {"tasks": {"reply": listed(SMALL, BIG)}},
            {BIG: OPEN},
            [SMALL],
            {},
            id="too long, and the larger is out: shortened now",
        ),
        pytest.param(
            {"input_tokens": 9_000},
            {"tasks": {"reply": [{**listed(SMALL)[0], "context_tokens": 32_000}]}},
            {},
            [SMALL],
            {},
            id="a window of one's own",
        ),
        pytest.param(
            {}, {**USUAL, "regions": ["eu"]}, {}, [EUROPEAN], {SMALL: "region", BIG: "region", LOCAL: "region"}, id="eu"
        ),
        pytest.param(
            {},
            {"tasks": {"reply": [{**listed(BIG)[0], "region": "eu"}]}, "regions": ["eu"]},
            {},
            [BIG],
            {},
            id="a candidate says where it runs",
        ),
        pytest.param(
            {"input_tokens": 900, "output_tokens": 100},
            {**USUAL, "max_cost_micros": 5_000},
            {},
            [SMALL, EUROPEAN, LOCAL],
            {BIG: "price"},
            id="a price ceiling",
        ),
        pytest.param(
            {"tier": "gold", "input_tokens": 1000},
            {**USUAL, "max_cost_micros": 5_000, "tiers": {"gold": {"max_cost_micros": 10_000}}},
            {},
            [SMALL, BIG, EUROPEAN, LOCAL],
            {},
            id="a tier's own ceiling",
        ),
        pytest.param(
            {"tier": "gold"},
            {**USUAL, "tiers": {"gold": {"tasks": {"reply": listed(HUGE, BIG)}}}},
            {},
            [HUGE, BIG],
            {},
            id="a tier's own candidates",
        ),
        pytest.param(
            {"tier": "unheard-of"},
            {**USUAL, "tiers": {"gold": {"tasks": {"reply": listed(HUGE)}}}},
            {},
            [SMALL, BIG, EUROPEAN, LOCAL],
            {},
            id="an unknown tier is everybody",
        ),
        pytest.param(
            {"tier": "gold", "task": "fast"},
            {"tasks": {"reply": listed(BIG), "fast": listed(SMALL)}, "tiers": {"gold": {"tasks": {}}}},
            {},
            [SMALL],
            {},
            id="a class the tier does not name",
        ),
        pytest.param({"task": "judge"}, {}, {}, [SMALL, BIG, EUROPEAN, LOCAL], {}, id="a class nobody names is reply"),
        pytest.param(
            {"task": "reasoning"},
            {"tasks": {"reply": listed(SMALL), "reasoning": listed(BIG)}},
            {},
            [BIG],
            {},
            id="a class of its own",
        ),
        pytest.param(
            {"bucket": 4},
            {"tasks": {"reply": listed(SMALL), "experimental": listed(HUGE)}, "experiment_percent": 5},
            {},
            [HUGE, SMALL],
            {},
            id="in the experiment",
        ),
        pytest.param(
            {"bucket": 5},
            {"tasks": {"reply": listed(SMALL), "experimental": listed(HUGE)}, "experiment_percent": 5},
            {},
            [SMALL],
            {},
            id="not in the experiment",
        ),
        pytest.param(
            {},
            {"tasks": {"reply": listed("gone/model", BIG)}},
            {},
            [BIG],
            {"gone/model": "not_configured"},
            id="a provider that is not there",
        ),
        pytest.param({}, {"tasks": {"reply": listed(BIG, BIG)}}, {}, [BIG], {}, id="named twice, asked once"),
        pytest.param(
            {"input_tokens": 9_000},
            {},
            {SMALL: OPEN},
            [BIG, EUROPEAN, LOCAL],
            {SMALL: "context"},
            id="what never fits is not waited for",
        ),
        pytest.param({}, {"tasks": {}}, {}, [], {}, id="no candidates at all"),
    ],
)
def test_the_policy_decides_who_is_asked_and_says_why_the_others_are_not(
    need: dict[str, Any],
    policy: dict[str, Any],
    health: dict[str, Health],
    asked: list[str],
    passed_over: dict[str, str],
) -> None:
    wanted = Need(**{**need, "capabilities": frozenset(need.get("capabilities", ()))})
    states = {tuple(name.split("/")): state for name, state in health.items()}
    choice = choose(wanted, ModelPolicy.model_validate(policy or USUAL), World(), states, PRICES)  # type: ignore[arg-type]
    assert (tried(choice), refused(choice)) == (asked, passed_over)
    assert wanted.task in choice.because
    assert all(each.detail for each in choice.passed_over)


def test_who_is_only_unwell_is_waited_for() -> None:
    policy = ModelPolicy.model_validate({"tasks": {"reply": listed(SMALL, BIG)}})
    choice = choose(Need(), policy, World(), {("acme", "small"): OPEN, ("acme", "big"): PROBING}, PRICES)
    assert choice.seconds == 3
    assert choose(Need(), policy, World(), {}, PRICES).seconds is None


def options(*names: str) -> list[Option]:
    found = []
    for each in listed(*names):
        facts = World().of(candidate := Candidate.model_validate(each))
        assert facts is not None
        found.append(Option(candidate, facts))
    return found


@pytest.mark.parametrize(
    ("kind", "asked_next"),
    [
        ("auth", [HUGE, EUROPEAN, "acme/tiny"]),
        ("quota", [HUGE, EUROPEAN, "acme/tiny"]),
        ("rate", ["acme/tiny", HUGE, EUROPEAN]),
        ("overload", ["acme/tiny", HUGE, EUROPEAN]),
        ("timeout", ["acme/tiny", HUGE, EUROPEAN]),
        ("unreachable", [HUGE, EUROPEAN, "acme/tiny"]),
        ("content_filter", [HUGE, EUROPEAN, "acme/tiny"]),
        ("context_overflow", [HUGE, "acme/tiny", EUROPEAN]),
        ("bad_request", ["acme/tiny", HUGE, EUROPEAN]),
        ("garbage", ["acme/tiny", HUGE, EUROPEAN]),
    ],
)
def test_each_kind_of_failure_has_its_own_move(kind: FailureKind, asked_next: list[str]) -> None:
    failed = options(BIG)[0]
    rest = options("acme/tiny", HUGE, EUROPEAN)
    assert [f"{each.provider}/{each.model}" for each in reorder(kind, failed, rest)] == asked_next


def test_no_kind_of_failure_is_without_a_move() -> None:
    assert set(MOVES) == set(FailureKind.__args__)  # type: ignore[attr-defined]


def test_a_request_says_what_it_needs_and_how_long_it_is() -> None:
    picture, paper = Attachment("image/png", b"x"), Attachment("application/pdf", b"x")
    messages = [ChatMessage("user", "a" * 300, attachments=(picture, paper))]
    request = ModelRequest("m", "b" * 300, messages, tools=[ToolSpec("t", "", {})], output_schema={}, reasoning="low")
    assert needs(request) == {"tools", "images", "files", "json_schema", "reasoning"}
    assert size(request) == 200 + 200 + 2 * 1600
    assert size(ModelRequest("m", "你好吗", [])) == 3
    assert needs(ModelRequest("m", "", [], reasoning="none")) == frozenset()
