"""What surrounds every activity: ids bound to its log lines, and how long it waited for a worker."""

import time
from typing import Any, cast, get_args

import structlog
from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from runtime.metrics import Metrics, Step

_STEPS = frozenset(get_args(Step))


class ActivityContext(Interceptor):
    """For the worker's `interceptors`; costs some microseconds an activity."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _Inbound(next, self._metrics)


class _Inbound(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, metrics: Metrics) -> None:
        super().__init__(next)
        self._metrics = metrics

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        if not info.is_local:
            # Both times are the server's, so clocks of two machines are never compared.
            waited = info.started_time - info.current_attempt_scheduled_time
            self._metrics.queue_lag_seconds.labels(info.task_queue).observe(max(0.0, waited.total_seconds()))
        ids = {"workflow_id": info.workflow_id, "run_id": info.workflow_run_id, "activity_type": info.activity_type}
        with structlog.contextvars.bound_contextvars(**ids, attempt=info.attempt, **_tenant(input.args)):
            started = time.monotonic()
            result = await super().execute_activity(input)
            if info.activity_type in _STEPS:
                self._metrics.step(cast("Step", info.activity_type), time.monotonic() - started)
            return result


def _tenant(arguments: Any) -> dict[str, str]:
    """Every activity takes one object, which names its organisation itself or in what it refers to."""
    if not arguments:
        return {}
    first = arguments[0]
    holder = getattr(first, "ref", None) or getattr(first, "ingest", None) or first
    org_id = getattr(holder, "org_id", None)
    return {} if org_id is None else {"org_id": str(org_id)}
