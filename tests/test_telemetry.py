"""Promise: one trace leads from the HTTP request through the workflow to the model call, turn by turn."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import httpx2
import pytest
from fastapi import FastAPI
from temporalio import activity
from temporalio.client import Client, WithStartWorkflowOperation, WorkflowUpdateStage
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer, Worker

from contracts import turn as t
from contracts.conversation import ConversationInput, PostMessage
from domain.errors import ProviderUnavailable
from runtime.embedded.temporal import EmbeddedTemporal
from runtime.telemetry import Telemetry
from tests.otlp import Collector, attributes
from tests.traced_conversation import TracedConversation

_PAGE = Path(__file__).parents[1] / "docs" / "traces.md"
SECRET = "my card is 4111 1111 1111 1111"


class Steps:
    """Two steps of a turn, the second with a model call."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    @activity.defn
    async def prepare(self, input: t.PrepareInput) -> t.Prepared:
        return t.Prepared(number=1)

    @activity.defn
    async def reply(self, input: t.ReplyInput) -> t.Reply:
        with self._telemetry.model_call(
            "openai", "small-1", conversation_id="c", temperature=0.2, max_output_tokens=64
        ) as call:
            usage = t.Usage(input_tokens=7, output_tokens=3, cached_tokens=2)
            call.answered(model="small-1-2026", usage=usage, finish="stop", first_token_seconds=0.2)
        return t.Reply(text="yes", provider="openai", model="small-1")


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


async def _post(client: Client, conversation_id: UUID, text: str, queue: str) -> None:
    start = WithStartWorkflowOperation(
        TracedConversation.run,
        ConversationInput(org_id=uuid4(), conversation_id=conversation_id, agent_version_id=uuid4()),
        id=f"conversation/{conversation_id}",
        task_queue=queue,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )
    await client.start_update_with_start_workflow(
        TracedConversation.post_message,
        PostMessage(message=t.IncomingMessage(id=uuid4(), text=text)),
        wait_for_stage=WorkflowUpdateStage.COMPLETED,
        start_workflow_operation=start,
    )


async def test_each_request_its_turn_and_its_model_call_are_one_trace(
    temporal: EmbeddedTemporal, collector: Collector
) -> None:
    telemetry = Telemetry.start("everturn-test", collector.endpoint)
    client = await Client.connect(
        temporal.address, data_converter=pydantic_data_converter, interceptors=telemetry.interceptors
    )
    app = FastAPI(telemetry=telemetry.fastapi)
    queue, conversation_id = f"traces-{uuid4()}", uuid4()

    @app.post("/{room}/messages")
    async def say(room: str, message: t.IncomingMessage) -> None:
        await _post(client, conversation_id, message.text, queue)

    steps = Steps(telemetry)
    async with Worker(
        client, task_queue=queue, workflows=[TracedConversation], activities=[steps.prepare, steps.reply]
    ):
        await _say(app, SECRET)
        await _say(app, "and more")
        handle = client.get_workflow_handle(f"conversation/{conversation_id}")
        assert await handle.result() == 2
    telemetry.close()

    requests, calls = collector.named("POST /{room}/messages"), collector.named("chat small-1")
    assert len(requests) == len(calls) == 2
    for request, call in zip(requests, calls, strict=True):
        assert call.trace_id == request.trace_id
        names = collector.ancestors(call)
        assert names[:2] == ["RunActivity:reply", "StartActivity:reply"]
        assert names[-2:] == ["StartUpdateWithStartWorkflow:TracedConversation", "POST /{room}/messages"]
    assert requests[0].trace_id != requests[1].trace_id
    assert [span.trace_id for span in collector.named("RunActivity:prepare")] == [r.trace_id for r in requests]
    assert {service for service, _ in collector.spans} == {"everturn-test"}

    said = attributes(calls[0])
    assert said["gen_ai.operation.name"] == "chat"
    assert said["gen_ai.provider.name"] == "openai"
    assert (said["gen_ai.request.model"], said["gen_ai.response.model"]) == ("small-1", "small-1-2026")
    assert (said["gen_ai.usage.input_tokens"], said["gen_ai.usage.output_tokens"]) == (7, 3)
    assert said["gen_ai.response.finish_reasons"] == ["stop"]

    assert SECRET not in str(collector.spans)
    page = _PAGE.read_text()
    assert [name for name in said if name.startswith("gen_ai.") and f"`{name}`" not in page] == []

    history = await handle.fetch_history()
    await Replayer(workflows=[TracedConversation], data_converter=pydantic_data_converter).replay_workflow(history)


async def test_a_failed_model_call_is_marked_and_its_texts_are_nowhere(collector: Collector) -> None:
    telemetry = Telemetry.start("everturn-test", collector.endpoint)
    with pytest.raises(ProviderUnavailable), telemetry.model_call("anthropic", "large-2"):
        raise ProviderUnavailable(f"overloaded by: {SECRET}")
    telemetry.close()
    span = collector.one("chat large-2")
    assert span.status.code == span.status.STATUS_CODE_ERROR
    assert attributes(span)["error.type"] == "provider_unavailable"
    assert SECRET not in str(collector.spans)


async def test_without_a_collector_nothing_is_made() -> None:
    telemetry = Telemetry.start("everturn-test", None)
    assert not telemetry.enabled
    assert list(telemetry.interceptors) == []
    with telemetry.model_call("openai", "small-1") as call:
        call.answered(model="small-1", usage=t.Usage(), finish="stop")
    app = FastAPI(telemetry=telemetry.fastapi)
    assert not app._native_telemetry.enabled()
    telemetry.close()


async def test_a_collector_that_is_down_costs_no_request_and_no_long_end() -> None:
    with Collector() as gone:
        endpoint = gone.endpoint
    telemetry = Telemetry.start("everturn-test", endpoint)
    with telemetry.model_call("openai", "small-1"):
        pass
    telemetry.close()


async def _say(app: FastAPI, text: str) -> None:
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://testserver") as http:
        response = await http.post("/lobby/messages", json={"id": str(uuid4()), "text": text})
        response.raise_for_status()
