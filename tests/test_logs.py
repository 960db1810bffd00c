"""Promise: a log line leads to its request, trace, organisation and run, and never carries what people said."""

import json
import logging
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
import structlog
from pydantic import BaseModel, ValidationError
from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from contracts import turn as t
from contracts.conversation import ConversationInput, PostMessage
from runtime import logs
from runtime.activity_context import ActivityContext
from runtime.metrics import Metrics
from runtime.telemetry import Telemetry
from tests.otlp import Collector
from tests.traced_conversation import TracedConversation

Lines = Callable[[], list[dict[str, Any]]]

SECRET = "call me on +49 170 5550100"


@pytest.fixture
def restored() -> Iterator[None]:
    """Logging is of the whole process, so what a test sets up is taken down."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def lines(restored: None) -> Lines:
    stream = StringIO()
    logs.configure("json", "info", stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_carries_the_ids_that_are_bound_and_the_trace(lines: Lines) -> None:
    with Collector() as collector:
        telemetry = Telemetry.start("test", collector.endpoint)
        with structlog.contextvars.bound_contextvars(request_id="req-1", org_id="org-1"):
            with telemetry.model_call("openai", "small-1"):
                structlog.get_logger("ours").info("asked", tokens=3)
            logging.getLogger("a.library").warning("slow")
        telemetry.close()
        trace_id = collector.one("chat small-1").trace_id.hex()
    ours, library = lines()
    assert (ours["event"], ours["tokens"], ours["level"], ours["logger"]) == ("asked", 3, "info", "ours")
    assert ours["trace_id"] == trace_id
    assert (library["event"], library["level"]) == ("slow", "warning")
    for line in (ours, library):
        assert (line["request_id"], line["org_id"]) == ("req-1", "org-1")


def test_what_people_said_is_left_out(lines: Lines) -> None:
    class Question(BaseModel):
        number: int

    log = structlog.get_logger()
    log.info("received", text=SECRET, length=len(SECRET))
    try:
        Question.model_validate({"number": SECRET})
    except ValidationError:
        log.exception("refused")
    received, refused = lines()
    assert received["length"] == len(SECRET)
    assert refused["exception"][0]["exc_type"] == "ValidationError"
    assert SECRET not in json.dumps([received, refused])


def test_lines_below_the_level_are_not_written(lines: Lines) -> None:
    structlog.get_logger().debug("detail")
    logging.getLogger("a.library").debug("detail")
    assert lines() == []


def test_the_console_shows_the_same_line_to_a_person(restored: None) -> None:
    stream = StringIO()
    logs.configure("console", "info", stream)
    structlog.get_logger().info("started", port=8080, text=SECRET)
    shown = stream.getvalue()
    assert "started" in shown
    assert "port=8080" in shown, "a file gets no colour codes"
    assert SECRET not in shown


class _Steps:
    @activity.defn
    async def prepare(self, input: t.PrepareInput) -> t.Prepared:
        structlog.get_logger().info("began")
        return t.Prepared(number=1)

    @activity.defn
    async def reply(self, input: t.ReplyInput) -> t.Reply:
        activity.logger.warning("replying")
        return t.Reply(text="yes", provider="scripted", model="scripted")


async def test_a_line_of_an_activity_leads_to_its_run(temporal_client: Client, lines: Lines) -> None:
    steps, queue, org_id = _Steps(), f"logs-{uuid4()}", uuid4()
    async with Worker(
        temporal_client,
        task_queue=queue,
        workflows=[TracedConversation],
        activities=[steps.prepare, steps.reply],
        interceptors=[ActivityContext(Metrics())],
    ):
        handle = await temporal_client.start_workflow(
            TracedConversation.run,
            ConversationInput(org_id=org_id, conversation_id=uuid4(), agent_version_id=uuid4()),
            id=f"logged-{uuid4()}",
            task_queue=queue,
        )
        for _ in range(2):
            message = PostMessage(message=t.IncomingMessage(id=uuid4(), text=SECRET))
            await handle.execute_update(TracedConversation.post_message, message)
        await handle.result()
    written = [line for line in lines() if line["event"] in ("began", "replying")]
    assert [line["activity_type"] for line in written] == ["prepare", "reply", "prepare", "reply"]
    for line in written:
        assert line["workflow_id"] == handle.id
        assert line["run_id"] == handle.first_execution_run_id
        assert line["org_id"] == str(org_id)
        assert line["attempt"] == 1
        assert SECRET not in json.dumps(line)
