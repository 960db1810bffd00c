"""Histories recorded from earlier code replay on today's: a running conversation survives every deploy."""

import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from runtime.converter import data_converter
from runtime.sandbox import workflow_runner
from worker import WORKFLOWS

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json"))
REGISTERED = [workflow for workflows in WORKFLOWS.values() for workflow in workflows]

HOW_TO_PATCH = """
{name} no longer replays: today's code asks for other commands than the ones in its history.
Conversations that run in production would stop at this point after a deploy. Keep the old way for them:

    if workflow.patched("what-has-changed"):   # new runs
        ...
    else:                                       # histories from before
        ...

and record a history of the new way beside this one (docs/changing-a-workflow.md).
What Temporal says: {error}
"""


def started(path: Path) -> str:
    """The workflow type of a history."""
    first = json.loads(path.read_text())["events"][0]
    return str(first["workflowExecutionStartedEventAttributes"]["workflowType"]["name"])


def test_every_workflow_has_a_recorded_history() -> None:
    recorded = {started(path) for path in HISTORIES}
    assert {workflow.__name__ for workflow in REGISTERED} <= recorded, "run python -m tests.record_histories"


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_a_recorded_history_replays(path: Path) -> None:
    replayer = Replayer(
        workflows=REGISTERED, data_converter=data_converter, workflow_runner=workflow_runner(strict=True)
    )
    history = WorkflowHistory.from_json(path.stem, path.read_text())
    result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
    if result.replay_failure is not None:
        pytest.fail(HOW_TO_PATCH.format(name=path.stem, error=result.replay_failure))
