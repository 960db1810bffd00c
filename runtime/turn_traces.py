"""Puts each turn of a long-lived conversation into the trace of the request that asked for it.

Temporal's own tracing hangs everything a workflow does on the request that started it, which for the
tenth message is the wrong one. This remembers which request brought which message (an update's header),
and moves to its trace when the turn begins. It makes no command, so histories do not change.
Must come after the SDK's TracingInterceptor in the list.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID

from opentelemetry import context as otel_context
from temporalio.api.common.v1 import Payload
from temporalio.client import Interceptor as ClientInterceptor
from temporalio.contrib.opentelemetry import TracingInterceptor
from temporalio.converter import PayloadConverter
from temporalio.worker import (
    HandleUpdateInput,
    Interceptor,
    StartActivityInput,
    StartLocalActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from temporalio.workflow import ActivityHandle

_SDK: Final = TracingInterceptor()
# More messages than a conversation lets wait; what joins a running turn is never asked for again.
_REMEMBERED: Final = 64


class TurnTraces(ClientInterceptor, Interceptor):
    """Given to the client, taken over by its workers."""

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        return _Inbound


class _Inbound(WorkflowInboundInterceptor):
    def __init__(self, next: WorkflowInboundInterceptor) -> None:
        super().__init__(next)
        self._headers: dict[UUID, Payload] = {}
        self._turn: otel_context.Context | None = None

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_Outbound(outbound, self))

    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:
        header = input.headers.get(_SDK.header_key)
        if header is not None:
            for argument in input.args:
                # By shape and not by class: the sandbox may have loaded contracts a second time.
                message = getattr(argument, "message", None)
                if message is not None:
                    self._headers[message.id] = header
            while len(self._headers) > _REMEMBERED:
                del self._headers[next(iter(self._headers))]
        return await super().handle_update_handler(input)

    def begins(self, arguments: Sequence[Any]) -> None:
        """A turn starts with these messages: from here on, its trace is that of the last of them."""
        for message in getattr(arguments[0], "messages", ()):
            header = self._headers.pop(message.id, None)
            if header is not None:
                carrier = PayloadConverter.default.from_payloads([header])[0]
                self._turn = _SDK.text_map_propagator.extract(carrier)

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        if self._turn is None:
            yield
            return
        token = otel_context.attach(self._turn)
        try:
            yield
        finally:
            otel_context.detach(token)


class _Outbound(WorkflowOutboundInterceptor):
    def __init__(self, next: WorkflowOutboundInterceptor, inbound: _Inbound) -> None:
        super().__init__(next)
        self._inbound = inbound

    def start_activity(self, input: StartActivityInput) -> ActivityHandle[Any]:
        self._notice(input.activity, input.args)
        with self._inbound.in_turn():
            return super().start_activity(input)

    def start_local_activity(self, input: StartLocalActivityInput) -> ActivityHandle[Any]:
        self._notice(input.activity, input.args)
        with self._inbound.in_turn():
            return super().start_local_activity(input)

    def _notice(self, activity: str, arguments: Sequence[Any]) -> None:
        if activity == "prepare" and arguments:
            self._inbound.begins(arguments)
