"""Traces: one per HTTP request, from its first byte through the workflow to the model call. Metrics are elsewhere.

Without a collector's address nothing is built: no provider, no interceptor, no span, no cost.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.util.genai.handler import TelemetryHandler
from opentelemetry.util.genai.invocation import InferenceInvocation
from opentelemetry.util.genai.types import Error
from temporalio.client import Interceptor
from temporalio.contrib.opentelemetry import TracingInterceptor

if TYPE_CHECKING:
    from fastapi.telemetry import TelemetryConfig

from contracts.turn import Usage
from domain.errors import DomainError
from runtime.turn_traces import TurnTraces

_SCOPE: Final = "everturn"
# A collector that is down may delay the end of a process by this and no longer (10 s by default).
_EXPORT_TIMEOUT_SECONDS: Final = 3


class ModelCall(Protocol):
    """What a model call says about itself, once it has finished. Never its texts."""

    def answered(self, *, model: str, usage: Usage, finish: str, first_token_seconds: float | None = None) -> None: ...


class Telemetry:
    """One process's traces. Start it once, give its parts away, close it at the end."""

    def __init__(self, provider: TracerProvider | None) -> None:
        self._provider = provider
        self._genai = TelemetryHandler(provider, instrumentation_scope_name=_SCOPE) if provider else None

    @classmethod
    def start(cls, service: str, otlp_endpoint: str | None) -> Self:
        """service names the process in the trace (everturn-api, everturn-worker).

        otlp_endpoint is the collector's OTLP/HTTP base address, such as http://127.0.0.1:4318; None: no traces.
        """
        if not otlp_endpoint:
            return cls(None)
        address = otlp_endpoint.rstrip("/").removesuffix("/v1/traces") + "/v1/traces"
        provider = TracerProvider(resource=Resource.create({"service.name": service}), shutdown_on_exit=False)
        provider.add_span_processor(
            BatchSpanProcessor(OTLPSpanExporter(endpoint=address, timeout=_EXPORT_TIMEOUT_SECONDS))
        )
        return cls(provider)

    @property
    def enabled(self) -> bool:
        return self._provider is not None

    @property
    def interceptors(self) -> Sequence[Interceptor]:
        """For the Temporal client; workers made from it take them over. Empty without a collector."""
        if self._provider is None:
            return []
        # The order matters: the second must sit inside the first on the way in and outside on the way out.
        return [TracingInterceptor(self._provider.get_tracer(_SCOPE)), TurnTraces()]

    @property
    def fastapi(self) -> "TelemetryConfig":
        """For FastAPI(telemetry=...): its own request spans and nothing else; metrics are ours.

        auto_configure stays off: it would read the environment and export everything a second time.
        """
        from fastapi.telemetry import TelemetryConfig  # noqa: PLC0415  a worker needs no web framework: 0.3 s of start

        if self._provider is None:
            return TelemetryConfig(tracing=False, metrics=False, logs=False, auto_configure=False)
        return TelemetryConfig(
            tracer_provider=self._provider, metrics=False, logs=False, operation_spans=False, auto_configure=False
        )

    @contextmanager
    def model_call(
        self,
        provider: str,
        model: str,
        *,
        conversation_id: str | None = None,
        temperature: float | None = None,
        max_output_tokens: int | None = None,
    ) -> Iterator[ModelCall]:
        """A span `chat <model>` by the GenAI conventions. An exception inside marks it as failed and goes on."""
        if self._genai is None:
            yield _SILENT
            return
        span = self._genai.inference(provider, request_model=model, conversation_id=conversation_id)
        span.request_stream = True
        span.temperature = temperature
        span.max_tokens = max_output_tokens
        try:
            yield _Spoken(span)
        except BaseException as error:  # cancellation, too, must close the span
            # Its kind only: providers quote the request in their errors.
            kind = error.code if isinstance(error, DomainError) else type(error).__name__
            span.fail(Error(message=None, type=kind))
            raise
        span.stop()

    def close(self) -> None:
        """Sends what is waiting. Blocks for some seconds at most, when the collector is down. Idempotent."""
        if self._provider is not None:
            self._provider.shutdown()


@dataclass(frozen=True, slots=True)
class _Spoken:
    span: InferenceInvocation

    def answered(self, *, model: str, usage: Usage, finish: str, first_token_seconds: float | None = None) -> None:
        self.span.response_model_name = model
        self.span.input_tokens = usage.input_tokens
        self.span.output_tokens = usage.output_tokens
        self.span.cache_read_input_tokens = usage.cached_tokens
        self.span.finish_reasons = [finish]
        self.span.ttfc_seconds = first_token_seconds


class _Silent:
    def answered(self, **_said: Any) -> None:
        """Nobody listens."""


_SILENT: Final = _Silent()
