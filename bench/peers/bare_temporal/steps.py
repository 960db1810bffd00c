"""The workflow and its six steps, apart from the server because the sandbox loads this file again."""

from datetime import timedelta

from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    import peer


@activity.defn
async def step(index: int) -> str:
    return peer.stamp.token(index) + " "


@workflow.defn
class SixSteps:
    @workflow.run
    async def run(self, text: str) -> str:
        for index in range(6):
            token = await workflow.execute_activity(step, index, start_to_close_timeout=timedelta(seconds=10))
        return token
