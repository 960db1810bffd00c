"""Named options by kind of work: every timeout and retry of the house, each number with its why."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from temporalio.common import Priority, RetryPolicy
from temporalio.workflow import ActivityCancellationType

from contracts.failures import NON_RETRYABLE

STEP: dict[str, Any] = {
    # Local steps take 1-20 ms; 10 s is a database fail-over, not a slow query.
    "start_to_close_timeout": timedelta(seconds=10),
    # What opens or closes a turn is never given up: a day is longer than any outage that ends.
    "schedule_to_close_timeout": timedelta(days=1),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=50),
        backoff_coefficient=2,
        maximum_interval=timedelta(seconds=5),
        non_retryable_error_types=list(NON_RETRYABLE),
    ),
    # Below this, the wait for the next try happens in the worker; longer ones become timers in history,
    # so that a long outage does not hold a workflow task open.
    "local_retry_threshold": timedelta(seconds=2),
}

REPLY: dict[str, Any] = {
    # Reasoning models think for minutes; a reply that streams for ten is a runaway.
    "start_to_close_timeout": timedelta(minutes=10),
    # A dead worker is noticed after this. Peers wait 60 s; a person stares at the screen.
    # The SDK sends a beat every 80% of it: at 300 streams 4 s is 94 beats/s, 2.5 s would be 150.
    "heartbeat_timeout": timedelta(seconds=4),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=200),
        backoff_coefficient=2,
        maximum_interval=timedelta(seconds=5),
        # 0.2+0.4+0.8+1.6+3.2+5+5 s of waiting: long enough for a restart, short enough for a person.
        maximum_attempts=8,
        non_retryable_error_types=list(NON_RETRYABLE),
    ),
    # The log's fence silences a superseded reply at once, so nobody need wait for it to notice.
    "cancellation_type": ActivityCancellationType.TRY_CANCEL,
}

PROVIDER_ATTEMPTS = 3
"""Attempts at a reply after which a provider that fails is waited for by the workflow, where it can be seen and
the customer told. 0.2+0.4 s, which take 2 s: Temporal's timers are up to a second late (measured with its dev
server). A hiccup passes unseen, and nobody stares at a silent screen for long. What else may fail (a worker that
dies, a database that restarts) keeps the attempts of its policy."""

LONGEST_UNSEEN_WAIT = timedelta(seconds=2)
"""A provider that asks for a longer pause than this is waited for in the same way, at once."""

REPLY_AGAIN: dict[str, Any] = {
    **REPLY,
    # A parked turn tries again: its next pause is the retry policy, and a second attempt is for a dying worker.
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=200),
        maximum_attempts=2,
        non_retryable_error_types=list(NON_RETRYABLE),
    ),
}

ACT: dict[str, Any] = {
    "start_to_close_timeout": timedelta(minutes=2),
    "heartbeat_timeout": timedelta(seconds=4),
    # The ledger decides what a second attempt does: reuse, resend with the same key, or park.
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(milliseconds=200),
        backoff_coefficient=2,
        maximum_interval=timedelta(seconds=5),
        maximum_attempts=6,
        non_retryable_error_types=list(NON_RETRYABLE),
    ),
    "cancellation_type": ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
}

PARSE: dict[str, Any] = {
    # 50 MB is the largest upload; the slowest measured parser needs 1 s a page.
    "start_to_close_timeout": timedelta(minutes=15),
    "heartbeat_timeout": timedelta(seconds=15),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1),
        maximum_interval=timedelta(seconds=30),
        maximum_attempts=10,
        non_retryable_error_types=list(NON_RETRYABLE),
    ),
}

OCR: dict[str, Any] = {
    # Eight pages of 1-3 s each; 20 times that on a crowded core, and a page that hangs has a limit of its own.
    "start_to_close_timeout": timedelta(minutes=15),
    "heartbeat_timeout": timedelta(seconds=15),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1),
        maximum_interval=timedelta(seconds=30),
        maximum_attempts=20,
        non_retryable_error_types=list(NON_RETRYABLE),
    ),
}

INDEX: dict[str, Any] = {
    # A batch of 64 passages embeds in about 3 s on one core; 20 times that on a crowded one.
    "start_to_close_timeout": timedelta(minutes=5),
    "heartbeat_timeout": timedelta(seconds=15),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1),
        maximum_interval=timedelta(seconds=30),
        maximum_attempts=20,
        non_retryable_error_types=list(NON_RETRYABLE),
    ),
}

CRAWL: dict[str, Any] = {
    # A batch ends after 10 s, and its last request after 90 more; unpacking 1 GB of an archive takes two minutes.
    "start_to_close_timeout": timedelta(minutes=15),
    "heartbeat_timeout": timedelta(seconds=15),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1),
        maximum_interval=timedelta(seconds=30),
        # 1+2+4+8+16+30 s: rides out a restart; a site or database that is away longer is said to be.
        maximum_attempts=7,
        non_retryable_error_types=list(NON_RETRYABLE),
    ),
}

SUMMARISE: dict[str, Any] = {
    # 400 messages at once; a small model on two cores reads 10,000 tokens in a minute.
    "start_to_close_timeout": timedelta(minutes=5),
    "heartbeat_timeout": timedelta(seconds=15),
    # Nobody waits, and the next turn asks again: what fails five times is left to it.
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1),
        maximum_interval=timedelta(seconds=30),
        maximum_attempts=5,
        non_retryable_error_types=list(NON_RETRYABLE),
    ),
}

UPKEEP: dict[str, Any] = {
    # Building the index of a collection that has outgrown plain search takes minutes at a million passages.
    "start_to_close_timeout": timedelta(minutes=30),
    "heartbeat_timeout": timedelta(seconds=15),
    # The schedule comes again: what fails five times is left to the next run.
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=30), maximum_attempts=5
    ),
}

RECORD: dict[str, Any] = {
    # How an ingestion ended must be written down, however long the database is away: no limit on attempts.
    "start_to_close_timeout": timedelta(seconds=30),
    "retry_policy": RetryPolicy(
        initial_interval=timedelta(seconds=1),
        maximum_interval=timedelta(seconds=30),
        non_retryable_error_types=list(NON_RETRYABLE),
    ),
}

LARGE_BYTES = 1_000_000
"""A file from which on its ingestion stands behind smaller ones: some 400 pages of text, or a few scans."""

LARGE_PASSAGES = 640
"""The same, once it is known what is in the file: ten batches, half a minute of one core."""

BEHIND = Priority(priority_key=4)
"""After everything of the default priority (3). The fairness key is that of the workflow."""


def ingest_priority(org_id: UUID, size_bytes: int) -> Priority:
    """Organisations take turns, and within that a large document waits for small ones."""
    return Priority(priority_key=4 if size_bytes >= LARGE_BYTES else None, fairness_key=org_id.hex)


TASK_TIMEOUT = timedelta(seconds=5)
"""Workflow task timeout: bounds how long a killed worker's local steps stay unnoticed (10 s by default).

The worker renews a task that waits for local steps after 80% of it. With 3 s that left 0.6 s, which a
machine at five times its load overran: the task's results were lost and the server backed off, some
turns for more than a minute.
"""

STICKY_TIMEOUT = timedelta(seconds=1)
"""How long a task waits for the worker that has the workflow in its cache before any other may take it."""

SHUTDOWN_GRACE = timedelta(seconds=5)
"""What a worker that is told to stop gives its running replies; what is left goes on elsewhere."""
