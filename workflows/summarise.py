"""Summarise the older part of a conversation, beside its turns: none of them waits for it."""

from temporalio import workflow

from contracts import options, stubs
from contracts.queues import INGEST
from contracts.summary import Summarised, SummariseInput

_MOST_RUNS = 20
"""Of the step: 8,000 messages, after which the next turn asks again."""


@workflow.defn(name="SummariseWorkflow")
class SummariseWorkflow:
    """One a conversation at a time; a turn that finds its summary too old starts it."""

    @workflow.run
    async def run(self, input: SummariseInput) -> Summarised:
        done = Summarised(upto=0)
        for _ in range(_MOST_RUNS):
            done = await workflow.execute_activity(
                stubs.summarise,
                input,
                task_queue=INGEST,
                summary=f"summarise messages up to {input.upto}",
                **options.SUMMARISE,
            )
            if done.written_by is None or done.upto >= input.upto:
                break
        return done
