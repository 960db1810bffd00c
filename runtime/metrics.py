"""Every metric of the product, one object a process. Not for traces, and not for what belongs to one conversation.

Labels are of small fixed sets only: an organisation, a conversation or a URL never becomes one.
"""

from collections.abc import Sequence
from typing import Final, Literal
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, start_http_server
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from contracts.turn import ParkedTime, QuotedVerdict
from domain.models.budget import BudgetUse
from domain.models.call import ModelCall, Settled

Step = Literal["prepare", "begin", "route", "retrieve", "reply", "act", "guard", "persist", "total"]
TurnOutcome = Literal["completed", "failed", "handed_over", "blocked"]
ParkedOutcome = Literal["answered", "handed_over", "failed"]
TokenKind = Literal["input", "output", "cached"]

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4

# Local steps take 1-20 ms, a turn some seconds, a reasoning model a minute: about 2.5 buckets a decade
# where steps live, so that a p50 of 45 ms can be told from one of 60 ms.
_TURN_BUCKETS = (
    0.001, 0.002, 0.004, 0.006, 0.01, 0.015, 0.02, 0.03, 0.045, 0.06, 0.1, 0.2, 0.35, 0.5, 1, 2, 5, 10, 20, 40, 60,
)  # fmt: skip
# From the first pause to the longest time that people are willing to wait.
_PARKED_BUCKETS = (1, 5, 10, 20, 40, 60, 120, 300, 600, 900, 1800, 3600, 14_400, 86_400)
# A queue is healthy below 10 ms and starving above 1 s.
_LAG_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """A registry of its own, so that two apps in one process never collide."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.turn_seconds = Histogram(
            "everturn_turn_seconds",
            "Time of a turn by step; total is from the accepted message to the stored answer.",
            ["step"],
            buckets=_TURN_BUCKETS,
            registry=registry,
        )
        self.first_token_seconds = Histogram(
            "everturn_first_token_seconds",
            "Time from the start of a turn to the first text of its reply in the event log.",
            buckets=_TURN_BUCKETS,
            registry=registry,
        )
        self.turns = Counter("everturn_turns", "Turns ended, by outcome.", ["outcome"], registry=registry)
        self.tokens = Counter(
            "everturn_tokens", "Tokens used by model calls.", ["provider", "model", "kind"], registry=registry
        )
        self.cost_micros = Counter(
            "everturn_cost_micros",
            "Cost of model calls in millionths of a US dollar.",
            ["provider", "model"],
            registry=registry,
        )
        self.queue_lag_seconds = Histogram(
            "everturn_queue_lag_seconds",
            "Time an activity waited in its task queue before a worker took it.",
            ["queue"],
            buckets=_LAG_BUCKETS,
            registry=registry,
        )
        self.quoted_orders = Counter(
            "everturn_quoted_injections",
            "Passages and tool results that tried to give the agent orders, by what the guard did.",
            ["source", "action"],
            registry=registry,
        )
        self.log_commits = Counter("everturn_log_commits", "Transactions of the event log's writer.", registry=registry)
        self.log_events = Counter("everturn_log_events", "Events written to the event log.", registry=registry)
        self.streams = Gauge("everturn_streams", "Subscribers now tailing the event log.", registry=registry)
        self.http_requests_seconds = Histogram(
            "everturn_http_requests_seconds",
            "Time to the end of an HTTP response, streams included; route is the template, never the path.",
            ["method", "route", "status"],
            buckets=_TURN_BUCKETS,
            registry=registry,
        )
        self._count_spending(registry)
        self._count_outages(registry)
        self._count_ingestion(registry)

    def _count_outages(self, registry: CollectorRegistry) -> None:
        self.parked_turns = Counter(
            "everturn_parked_turns", "Turns parked because nobody could answer.", ["code"], registry=registry
        )
        self.parked_seconds = Histogram(
            "everturn_parked_seconds",
            "Time from the first pause of a parked turn to its end, by what that was.",
            ["outcome"],
            buckets=_PARKED_BUCKETS,
            registry=registry,
        )

    def _count_spending(self, registry: CollectorRegistry) -> None:
        self.calls = Counter(
            "everturn_model_calls",
            "Calls to model providers settled in the ledger, by how they ended.",
            ["provider", "model", "outcome"],
            registry=registry,
        )
        self.breakers_opened = Counter(
            "everturn_breakers_opened",
            "Times that this process found a model unwell and had it passed over, by the failure that decided.",
            ["provider", "model", "kind"],
            registry=registry,
        )
        self.provider_wait_seconds = Histogram(
            "everturn_provider_wait_seconds",
            "Time that calls waited because their provider was at its limit; calls that did not wait are not counted.",
            ["provider"],
            buckets=_LAG_BUCKETS,
            registry=registry,
        )
        self.unpriced_calls = Counter(
            "everturn_unpriced_calls",
            "Calls that count as 0 because nobody says what their model costs.",
            ["provider", "model"],
            registry=registry,
        )
        self.budget_events = Counter(
            "everturn_budgets",
            "Budgets that came near their limit (warned), and calls not made because of one (refused).",
            ["scope", "event"],
            registry=registry,
        )
        self.cached_replies = Counter(
            "everturn_cached_replies",
            "Replies looked for in the cache: hit or miss.",
            ["outcome"],
            registry=registry,
        )
        self.saved_micros = Counter(
            "everturn_cached_replies_saved_micros",
            "What the replies that came from the cache had cost, in millionths of a US dollar.",
            registry=registry,
        )

    def _count_ingestion(self, registry: CollectorRegistry) -> None:
        self.ingested_passages = Counter(
            "everturn_ingested_passages", "Passages embedded and indexed.", registry=registry
        )
        self.passage_vectors = Counter(
            "everturn_passage_vectors",
            "Vectors that ingestions needed: computed, or reused because the same words were embedded before.",
            ["source"],
            registry=registry,
        )
        self.recognised_pages = Counter(
            "everturn_recognised_pages",
            "Pages whose text was to be recognised: read, failed, or reused from an earlier run.",
            ["outcome"],
            registry=registry,
        )

    def step(self, step: Step, seconds: float) -> None:
        self.turn_seconds.labels(step).observe(seconds)

    def turn_ended(self, outcome: TurnOutcome, seconds: float) -> None:
        self.turns.labels(outcome).inc()
        self.turn_seconds.labels("total").observe(seconds)

    def model_call(
        self, provider: str, model: str, *, input_tokens: int, output_tokens: int, cached_tokens: int, cost_micros: int
    ) -> None:
        """cached_tokens are those of input_tokens that the provider served from its cache."""
        used: dict[TokenKind, int] = {"input": input_tokens, "output": output_tokens, "cached": cached_tokens}
        for kind, count in used.items():
            if count:
                self.tokens.labels(provider, model, kind).inc(count)
        self.cost_micros.labels(provider, model).inc(cost_micros)

    def call_settled(self, call: ModelCall, settled: Settled, *, priced: bool) -> None:
        """Once a call, when the ledger has it."""
        if not priced:
            self.unpriced_calls.labels(call.provider, call.model).inc()
        self.calls.labels(call.provider, call.model, settled.outcome).inc()
        self.model_call(
            call.provider,
            call.model,
            input_tokens=settled.usage.input_tokens,
            output_tokens=settled.usage.output_tokens,
            cached_tokens=settled.usage.cached_tokens,
            cost_micros=settled.cost_micros,
        )

    def breaker_opened(self, provider: str, model: str, kind: str) -> None:
        self.breakers_opened.labels(provider, model, kind).inc()

    def provider_waited(self, provider: str, seconds: float) -> None:
        self.provider_wait_seconds.labels(provider).observe(seconds)

    def budget_warned(self, use: BudgetUse) -> None:
        self.budget_events.labels(use.scope, "warned").inc()

    def budget_refused(self, use: BudgetUse) -> None:
        self.budget_events.labels(use.scope, "refused").inc()

    def parked(self, outcome: ParkedOutcome, time: ParkedTime | None) -> None:
        """Once a turn, when it ends; nothing for one that was never parked."""
        if time is not None:
            self.parked_seconds.labels(outcome).observe(time.seconds)

    def reply_cached(self, saved_micros: int) -> None:
        """saved_micros: what the reply had cost when it was new."""
        self.cached_replies.labels("hit").inc()
        self.saved_micros.inc(saved_micros)

    def reply_not_cached(self) -> None:
        self.cached_replies.labels("miss").inc()

    def quoted_injections(self, verdicts: Sequence[QuotedVerdict]) -> None:
        """Of one turn, each text once."""
        for each in verdicts:
            self.quoted_orders.labels(each.source, each.verdict.action).inc()

    def passages_embedded(self, *, computed: int, reused: int) -> None:
        """One batch of an ingestion."""
        self.passage_vectors.labels("computed").inc(computed)
        self.passage_vectors.labels("reused").inc(reused)

    def pages_recognised(self, *, read: int, failed: int, reused: int) -> None:
        """One batch of an ingestion."""
        for outcome, count in (("read", read), ("failed", failed), ("reused", reused)):
            self.recognised_pages.labels(outcome).inc(count)

    def log_committed(self, events: int) -> None:
        """One transaction of the event log's writer."""
        self.log_commits.inc()
        self.log_events.inc(events)

    def text(self) -> bytes:
        """The exposition format of Prometheus; its media type is CONTENT_TYPE."""
        return generate_latest(self.registry)

    def include(self, collector: Collector) -> None:
        """Let another source speak through this registry, asked at each scrape."""
        self.registry.register(collector)


class MetricsServer:
    """Serves one process's metrics over HTTP from a thread, for processes that have no HTTP server of their own."""

    def __init__(self, metrics: Metrics, *, host: str = "127.0.0.1", port: int) -> None:
        """Listens at once; port 0 picks a free one. Raises OSError when the port is taken."""
        self._server: WSGIServer
        self._server, self._thread = start_http_server(port, host, metrics.registry)
        self.port: Final = int(self._server.server_port)

    def close(self) -> None:
        """Returns once the port is free."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
