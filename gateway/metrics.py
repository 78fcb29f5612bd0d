"""Figures for Prometheus: the gateway's last snapshot, as counters and gauges.

They hold the gateway's name and kinds of states, and neither meters nor what they counted.
"""

from __future__ import annotations

from collections import Counter as Count
from typing import TYPE_CHECKING, Self, get_args

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from gateway.health import State

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from prometheus_client import Metric

    from gateway.health import DeviceHealth, Snapshot


class Figures(Collector):
    """What is known of a gateway; `snapshot` is replaced as often as a new one is made."""

    def __init__(self) -> None:
        self.snapshot: Snapshot | None = None

    def collect(self) -> Iterator[Metric]:
        """Yield the figures; none before the first snapshot."""
        snapshot = self.snapshot
        if snapshot is not None:
            yield from _messages(snapshot)
            yield from _spool(snapshot)
            yield from _meters(snapshot)
            yield from _alarms(snapshot)


class FiguresServer:
    """Serves `figures` and those of the process at `host`:`port`, on a thread of its own.

    Raises `OSError` where it cannot listen there.
    """

    def __init__(self, figures: Figures, *, host: str, port: int) -> None:
        registry = CollectorRegistry()
        registry.register(figures)
        ProcessCollector(registry=registry)
        try:
            self._server, self._thread = start_http_server(port, host, registry)
        except OSError as error:
            raise OSError(
                f"figures cannot be served at {host}:{port}: {error.strerror}; state another "
                "metrics.host or metrics.port"
            ) from error
        self.port: int = self._server.server_port

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _messages(snapshot: Snapshot) -> Iterator[Metric]:
    tally = snapshot.tally
    messages = CounterMetricFamily(
        "tallygate_gateway_messages",
        "Readings and other messages by what became of them; received is all of them",
        labels=("gateway", "outcome"),
    )
    for outcome in ("received", "stored", "duplicate", "quarantined", "dropped"):
        messages.add_metric((snapshot.gateway, outcome), getattr(tally, outcome))
    yield messages
    yield _gauge(
        snapshot,
        "tallygate_gateway_spooled_readings",
        "Readings that wait for the archive",
        tally.spooled,
    )


def _spool(snapshot: Snapshot) -> Iterator[Metric]:
    used, quota = snapshot.occupancy.used_bytes, snapshot.occupancy.quota_bytes
    yield _gauge(snapshot, "tallygate_gateway_spool_bytes", "What the spool holds", used)
    yield _gauge(snapshot, "tallygate_gateway_spool_quota_bytes", "What it may hold", quota)
    if snapshot.last_forwarded is not None:
        yield _gauge(
            snapshot,
            "tallygate_gateway_archive_age_seconds",
            "Time since the archive took something",
            (snapshot.at - snapshot.last_forwarded).total_seconds(),
        )


def _meters(snapshot: Snapshot) -> Iterator[Metric]:
    found = Count(device.state(snapshot.at) for device in snapshot.devices)
    meters = GaugeMetricFamily(
        "tallygate_gateway_meters", "Stated meters by state", labels=("gateway", "state")
    )
    for state in get_args(State):
        meters.add_metric((snapshot.gateway, state), found[state])
    yield meters
    yield _gauge(
        snapshot,
        "tallygate_gateway_unknown_meters",
        "Meters that report and that nobody has stated",
        len(snapshot.strangers),
    )
    answered = [_silence_s(snapshot, device) for device in snapshot.devices if device.last_answer]
    if answered:
        yield _gauge(
            snapshot,
            "tallygate_gateway_longest_silence_seconds",
            "Time since the last answer of the meter that has been silent for longest",
            max(answered),
        )


def _alarms(snapshot: Snapshot) -> Iterator[Metric]:
    alarms = GaugeMetricFamily(
        "tallygate_gateway_alarm", "1 for each alarm that stands", labels=("gateway", "alarm")
    )
    for kind in snapshot.alarms:
        alarms.add_metric((snapshot.gateway, kind), 1)
    yield alarms


def _gauge(snapshot: Snapshot, name: str, text: str, value: float) -> Metric:
    gauge = GaugeMetricFamily(name, text, labels=("gateway",))
    gauge.add_metric((snapshot.gateway,), value)
    return gauge


def _silence_s(snapshot: Snapshot, device: DeviceHealth) -> float:
    if device.last_answer is None:
        return 0.0
    return (snapshot.at - device.last_answer).total_seconds()
