"""Figures for Prometheus, in a registry of our own. No name, unit or amount is among them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from api.store.gateways import Gateway

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNKNOWN = "unknown"
"""The label of addresses that lead nowhere: else every probe would make a new series."""


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
        self._report_age_s = Gauge(
            "tallygate_gateway_report_age_seconds",
            "Time since a gateway's last report",
            ["gateway"],
            registry=self.registry,
        )
        self._unaccounted = Gauge(
            "tallygate_gateway_unaccounted_messages",
            "Messages received that are neither stored, duplicate, quarantined nor spooled",
            ["gateway"],
            registry=self.registry,
        )
        self._quarantined = Gauge(
            "tallygate_quarantine_items", "Items in quarantine", registry=self.registry
        )

    def answered(self, *, method: str, route: str, status: int, duration_s: float) -> None:
        """Count one answer."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(duration_s)

    def exposition(self, gateways: Iterable[Gateway], quarantined: int, *, now: datetime) -> bytes:
        """Return all figures as Prometheus reads them."""
        self._report_age_s.clear()
        self._unaccounted.clear()
        for gateway in gateways:
            age_s = (now - gateway.received_at).total_seconds()
            self._report_age_s.labels(gateway.name).set(age_s)
            self._unaccounted.labels(gateway.name).set(gateway.tally.unaccounted)
        self._quarantined.set(quarantined)
        return generate_latest(self.registry)


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
