"""Structured logs for our code and every library's, with the ids that lead to the run. Never what people said.

Bind ids with `structlog.contextvars.bound_contextvars(request_id=…, org_id=…)`; they follow the task.
"""

import logging
import sys
from collections.abc import Sequence
from typing import Any, Final, Literal, TextIO

import structlog
from opentelemetry import trace
from structlog.typing import EventDict, Processor, WrappedLogger
from temporalio import activity, workflow

Format = Literal["json", "console"]
Level = Literal["debug", "info", "warning", "error"]

FORBIDDEN_KEYS: Final = frozenset(
    {
        "text",
        "texts",
        "message",
        "messages",
        "content",
        "prompt",
        "question",
        "answer",
        "body",
        "email",
        "phone",
        "name",
    }
)
"""Fields that would carry what people said or who they are. A log line that has one is written without it."""

_TEMPORAL_IDS: Final = ("workflow_id", "run_id", "workflow_run_id", "workflow_type", "activity_type", "attempt")
# Each says at level info that it did its work; with a line a request or a poll they would drown ours.
_CHATTY: Final = ("httpx2", "httpcore2", "uvicorn.access", "alembic.runtime.migration", "fontTools")


def configure(format: Format, level: Level, stream: TextIO | None = None) -> None:
    """Route the process's logs to a stream, standard error by default. The last call counts."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        # Not cached, so that a later configure() reaches loggers that exist already.
        cache_logger_on_first_use=False,
    )
    target = stream or sys.stderr
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.ExtraAdder(allow=("temporal_workflow", "temporal_activity")),
                *_shared(),
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_render(format, colors=target.isatty()),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        # uvicorn brings handlers of its own, which would print each line a second time in another shape.
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    # The ids come as fields; the SDK would append them to the sentence once more.
    workflow.logger.workflow_info_on_message = False
    activity.logger.activity_info_on_message = False


def _shared() -> Sequence[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        _temporal_ids,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _trace_id,
        _forget,
    ]


def _render(format: Format, *, colors: bool) -> Sequence[Processor]:
    if format == "console":
        return [structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)]
    exceptions = structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=30)
    return [
        structlog.processors.ExceptionRenderer(exceptions),
        _hush_validation,
        structlog.processors.JSONRenderer(),
    ]


def _trace_id(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
        event["span_id"] = trace.format_span_id(context.span_id)
    return event


def _temporal_ids(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The SDK hands its ids over as one dictionary; here they are named as ours are."""
    for source in ("temporal_workflow", "temporal_activity"):
        details = event.pop(source, None)
        if isinstance(details, dict):
            for key in _TEMPORAL_IDS:
                if details.get(key) is not None:
                    event.setdefault("run_id" if key == "workflow_run_id" else key, details[key])
    return event


def _forget(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    for key in FORBIDDEN_KEYS & event.keys():
        del event[key]
    return event


def _hush_validation(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Pydantic quotes the offending value in its error, and that value is often a customer's text."""
    stacks: list[dict[str, Any]] = event.get("exception") or []
    for stack in stacks:
        if stack["exc_type"].endswith("ValidationError"):
            stack["exc_value"] = "(values withheld)"
    return event
