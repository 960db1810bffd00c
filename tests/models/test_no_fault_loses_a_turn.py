"""Whatever a provider does wrong, of whichever kind, the next candidate answers: once, whole, and on the books."""

from contextlib import AsyncExitStack
from uuid import UUID

import pytest

from db.engine import Database
from domain.llm.model import ChatMessage, ModelRequest, ToolSpec
from domain.llm.provider_config import ProviderConfig
from domain.llm.wire import Patience
from domain.models.policy import ModelPolicy
from tests.models.dialects import DIALECTS, Dialect
from tests.models.faults import BRIEF, COUNTING, FAULTS, HURRIED, TABLE
from tests.models.routing import Heard, Stand, says
from tests.wire_server import never, serving

LOOK_UP = ToolSpec(
    "look_up", "Find an order.", {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}
)
PLAIN = ModelRequest("", "Be kind.", (ChatMessage("user", "Hello?"),), max_output_tokens=1024)
WITH_TOOLS = ModelRequest("", "Be kind.", (ChatMessage("user", "Hello?"),), (LOOK_UP,), max_output_tokens=1024)
ENDS_WELL = {"answered", "calls", "cut"}
DONE_AND_USELESS = {"empty choices", "filter takes everything", "tool JSON that cannot", "tool JSON cut off"}
"""The provider counted these; so does the ledger, to the token."""


def configs(dialect: Dialect, url: str, spare: str) -> dict[str, ProviderConfig]:
    first = {"kind": dialect.name, "base_url": url + dialect.path, "api_key": "k"}
    hurried = {"first_token_seconds": 0.4, "idle_seconds": 0.4, "reply_seconds": 1.5}
    given = {
        "patient": first,
        "hurried": {**first, **hurried},
        "spare": {"kind": "openai_compatible", "base_url": f"{spare}/v1", "model": "spare"},
    }
    return {name: ProviderConfig.model_validate(each) for name, each in given.items()}


async def asked(stand: Stand, name: str, number: int) -> Heard:
    """A model of its own for each fault: a breaker that one opened is not in another's way."""
    fault = FAULTS[name]
    who = "hurried" if fault.patience in {HURRIED, BRIEF, COUNTING} else "patient"
    candidates = [{"provider": who, "model": f"{stand.model}-{number}"}, {"provider": "spare"}]
    policy = ModelPolicy.model_validate({"tasks": {"reply": candidates}})
    return await stand.ask(policy, WITH_TOOLS if fault.tools else PLAIN)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
async def test_after_any_fault_the_next_candidate_answers(dialect: Dialect, database: Database, org: UUID) -> None:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(never))
        spare = await stack.enter_async_context(serving(says("And", " so on.")))
        patience = Patience(first_token_seconds=20, idle_seconds=20, most_events=600)
        stand = Stand(database, org, {}, configs=configs(dialect, server.url, spare.url), patience=patience)
        stack.push_async_callback(stand.close)
        for number, (name, fault) in enumerate(FAULTS.items()):
            outcome = TABLE[name, dialect.name].partition(",")[0]
            if outcome == "-":
                continue
            server.answer_with(fault.answer(dialect))
            spare.requests.clear()
            heard = await asked(stand, name, number)
            assert heard.error is None, name
            assert len(server.requests) == 1, name
            if outcome in ENDS_WELL:
                assert (heard.text, len(spare.requests)) == (fault.said, 0), name
                continue
            assert heard.text == (f"{fault.said} And so on." if fault.said else "And so on."), name
            assert len(spare.requests) == 1, name
            first, second = await stand.rows(database, heard)
            assert (second["outcome"], second["input_tokens"], second["output_tokens"]) == ("answered", 12, 3), name
            if name in DONE_AND_USELESS:
                assert (first["input_tokens"], first["output_tokens"], first["estimated"]) == (12, 3, False), name
