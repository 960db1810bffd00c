"""Promise: every metric is countable, documented, and served; two apps in one process never collide."""

import asyncio
import re
from pathlib import Path
from uuid import uuid4

import httpx2
from prometheus_client.parser import text_string_to_metric_families
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker

from contracts import turn as t
from contracts.conversation import ConversationInput, PostMessage
from runtime.activity_context import ActivityContext
from runtime.core_metrics import CoreMetrics
from runtime.embedded.temporal import EmbeddedTemporal
from runtime.metrics import Metrics, MetricsServer
from runtime.telemetry import Telemetry
from tests.test_telemetry import Steps
from tests.traced_conversation import TracedConversation

_PAGE = Path(__file__).parents[1] / "docs" / "metrics.md"


def _samples(text: bytes | str) -> dict[str, float]:
    families = text_string_to_metric_families(text.decode() if isinstance(text, bytes) else text)
    return {
        sample.name
        + "".join(f" {key}={value}" for key, value in sorted(sample.labels.items()) if key != "le"): sample.value
        for family in families
        for sample in family.samples
        if not sample.name.endswith("_bucket")
    }


def test_what_is_counted_is_what_is_shown() -> None:
    metrics = Metrics()
    metrics.step("retrieve", 0.012)
    metrics.turn_ended("completed", 0.05)
    metrics.model_call("openai", "small-1", input_tokens=7, output_tokens=3, cached_tokens=0, cost_micros=12)
    metrics.streams.inc()
    shown = _samples(metrics.text())
    assert shown["everturn_turn_seconds_count step=retrieve"] == 1
    assert shown["everturn_turn_seconds_sum step=total"] == 0.05
    assert shown["everturn_turns_total outcome=completed"] == 1
    assert shown["everturn_tokens_total kind=input model=small-1 provider=openai"] == 7
    assert "everturn_tokens_total kind=cached model=small-1 provider=openai" not in shown
    assert shown["everturn_cost_micros_total model=small-1 provider=openai"] == 12
    assert shown["everturn_streams"] == 1


def test_two_apps_in_one_process_count_for_themselves() -> None:
    one, other = Metrics(), Metrics()
    one.log_commits.inc()
    assert _samples(one.text())["everturn_log_commits_total"] == 1
    assert _samples(other.text())["everturn_log_commits_total"] == 0


def test_every_metric_is_documented_and_nothing_else() -> None:
    families = {family.name + ("_total" if family.type == "counter" else "") for family in Metrics().registry.collect()}
    documented = set(re.findall(r"^\| `(everturn_\w+)`", _PAGE.read_text(), re.MULTILINE))
    assert documented == families, f"describe these in docs/metrics.md: {documented ^ families}"


async def test_a_worker_serves_its_metrics_and_those_of_the_sdk(temporal: EmbeddedTemporal) -> None:
    metrics, core = Metrics(), CoreMetrics()
    metrics.include(core)
    server = MetricsServer(metrics, port=0)
    client = await Client.connect(temporal.address, data_converter=pydantic_data_converter, runtime=core.runtime)
    steps, queue = Steps(Telemetry.start("test", None)), f"metrics-{uuid4()}"
    async with Worker(
        client,
        task_queue=queue,
        workflows=[TracedConversation],
        activities=[steps.prepare, steps.reply],
        interceptors=[ActivityContext(metrics)],
    ):
        handle = await client.start_workflow(
            TracedConversation.run,
            ConversationInput(org_id=uuid4(), conversation_id=uuid4(), agent_version_id=uuid4()),
            id=str(uuid4()),
            task_queue=queue,
        )
        for text in ("one", "two"):
            message = PostMessage(message=t.IncomingMessage(id=uuid4(), text=text))
            await handle.execute_update(TracedConversation.post_message, message)
        await handle.result()
        async with httpx2.AsyncClient() as http:
            page = await http.get(f"http://127.0.0.1:{server.port}/metrics")
    await asyncio.to_thread(server.close)
    shown = _samples(page.text)
    assert shown[f"everturn_queue_lag_seconds_count queue={queue}"] == 2
    assert any(name.startswith("temporal_workflow_task_execution_latency_seconds") for name in shown)
