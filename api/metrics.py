"""Figures for Prometheus, in a registry of our own. No name, unit or amount is among them.

Where several processes serve, each keeps what it counts in files that the client library shares
(its multiprocess mode, which `share` begins before anything is counted), and whichever is asked
answers for all.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, values
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime
    from pathlib import Path

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from api.store.gateways import Gateway

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that names the folder where processes share what they count."""
UNKNOWN = "unknown"
"""The label of addresses that lead nowhere: else every probe would make a new series."""


def share(folder: Path) -> None:
    """Keep what this process and those that it forks count from now on in files of `folder`."""
    os.environ[SHARED] = str(folder)
    # It was chosen when the library was loaded.
    values.ValueClass = values.get_value_class()  # type: ignore[no-untyped-call] # as it is published


class Metrics:
    """The figures of one app."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        self._requests = Counter(
            "tallygate_http_requests",
            "Requests answered",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "tallygate_http_request_seconds",
            "Time to answer",
            ["method", "route"],
            buckets=SECONDS,
            registry=self.registry,
        )

    def answered(self, *, method: str, route: str, status: int, duration_s: float) -> None:
        """Count one answer."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(duration_s)

    def exposition(self, gateways: Iterable[Gateway], quarantined: int, *, now: datetime) -> bytes:
        """Return all figures as Prometheus reads them."""
        counted = self.registry
        if SHARED in os.environ:
            counted = CollectorRegistry()
            MultiProcessCollector(counted)  # type: ignore[no-untyped-call]  # as it is published
        stored = CollectorRegistry()
        stored.register(_Stored(gateways, quarantined, now))
        return generate_latest(counted) + generate_latest(stored)


class _Stored(Collector):
    """What the database says of gateways at `now`."""

    def __init__(self, gateways: Iterable[Gateway], quarantined: int, now: datetime) -> None:
        self._gateways = tuple(gateways)
        self._quarantined = quarantined
        self._now = now

    def collect(self) -> Iterator[GaugeMetricFamily]:
        age_s = GaugeMetricFamily(
            "tallygate_gateway_report_age_seconds",
            "Time since a gateway's last report",
            labels=["gateway"],
        )
        unaccounted = GaugeMetricFamily(
            "tallygate_gateway_unaccounted_messages",
            "Messages received that are neither stored, duplicate, quarantined nor spooled",
            labels=["gateway"],
        )
        for gateway in self._gateways:
            age_s.add_metric([gateway.name], (self._now - gateway.received_at).total_seconds())
            unaccounted.add_metric([gateway.name], gateway.tally.unaccounted)
        yield age_s
        yield unaccounted
        yield GaugeMetricFamily(
            "tallygate_quarantine_items", "Items in quarantine", value=self._quarantined
        )


class Measured:
    """Counts and times every answer of `app` by the route that gave it."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500
        began_s = time.perf_counter()

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            self._metrics.answered(
                method=scope["method"] if scope["method"] in METHODS else UNKNOWN,
                route=_route(scope),
                status=status,
                duration_s=time.perf_counter() - began_s,
            )


def _route(scope: Scope) -> str:
    route = scope.get("route")
    path = getattr(route, "path", None)
    return path if isinstance(path, str) and path else UNKNOWN
