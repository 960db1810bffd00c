"""The Temporal SDK's own metrics (slots, pollers, caches, latencies), on the same page as ours.

Not for the dev server's or a cluster's metrics, which they serve themselves.
"""

from collections.abc import Iterator
from urllib.error import URLError
from urllib.request import urlopen

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from temporalio.runtime import PrometheusConfig, Runtime, TelemetryConfig

from runtime.embedded.process import free_port


class CoreMetrics(Collector):
    """A Temporal runtime whose metrics are fetched from it at each scrape; costs nothing in between.

    Give `runtime` to Client.connect, and this to Metrics.include.
    """

    def __init__(self) -> None:
        # The SDK serves its metrics on a port of its own only; a loopback one stays between us.
        address = f"127.0.0.1:{free_port()}"
        self._url = f"http://{address}/metrics"
        prometheus = PrometheusConfig(
            bind_address=address, counters_total_suffix=True, unit_suffix=True, durations_as_seconds=True
        )
        self.runtime = Runtime(telemetry=TelemetryConfig(metrics=prometheus))

    def describe(self) -> list[Metric]:
        """Nothing ahead of a scrape: the SDK names a metric once it has a value."""
        return []

    def collect(self) -> Iterator[Metric]:
        try:
            with urlopen(self._url, timeout=1) as page:  # noqa: S310  our own loopback address
                text = page.read().decode()
        except (URLError, TimeoutError):
            # The runtime is going away; our own metrics must still be served.
            return
        yield from text_string_to_metric_families(text)
