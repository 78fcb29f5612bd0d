"""Figures for Prometheus: what the snapshot says, under names that the dashboard uses."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from loopback import HOST
from prometheus_client.parser import text_string_to_metric_families

from api.metrics import Metrics
from gateway.health import DeviceHealth, Snapshot
from gateway.metrics import Figures, FiguresServer
from gateway.quarantine_table import Stranger
from gateway.quota import Occupancy
from gateway.spool import Tally

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 10, 1, tzinfo=UTC)
MONITORING = Path(__file__).parents[2] / "deploy" / "compose"
PROMETHEUS_OWN = {"up"}


@pytest.fixture
def figures() -> Figures:
    found = Figures()
    found.snapshot = Snapshot(
        gateway="north",
        at=NOW,
        tally=Tally(120, 90, 10, 5, 14, 1),
        occupancy=Occupancy(3_000_000, 10_000_000),
        last_forwarded=NOW - timedelta(seconds=7),
        archive_error=None,
        broker_error="away",
        devices=(
            DeviceHealth("m-1", "t", last_answer=NOW - timedelta(seconds=900)),
            DeviceHealth("m-2", "t", last_answer=NOW - timedelta(seconds=30), failures=2),
            DeviceHealth("m-3", "t"),
        ),
        alarms={"broker": "away"},
        strangers=(Stranger("mqtt:x", 3, NOW, NOW),),
    )
    return found


@pytest.fixture
def server(figures: Figures) -> Iterator[FiguresServer]:
    with FiguresServer(figures, host=HOST, port=0) as server:
        yield server


def scraped(server: FiguresServer) -> dict[tuple[str, ...], float]:
    text = httpx.get(f"http://{HOST}:{server.port}/metrics").text
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_scrape_tells_the_last_snapshot(server: FiguresServer) -> None:
    found = scraped(server)

    assert found["tallygate_gateway_messages_total", "north", "received"] == 120
    assert found["tallygate_gateway_messages_total", "north", "dropped"] == 1
    assert found["tallygate_gateway_spooled_readings", "north"] == 14
    assert found["tallygate_gateway_spool_bytes", "north"] == 3_000_000
    assert found["tallygate_gateway_archive_age_seconds", "north"] == 7
    assert found["tallygate_gateway_meters", "north", "ok"] == 1
    assert found["tallygate_gateway_meters", "north", "backoff"] == 1
    assert found["tallygate_gateway_meters", "north", "silent"] == 1
    assert found["tallygate_gateway_longest_silence_seconds", "north"] == 900
    assert found["tallygate_gateway_unknown_meters", "north"] == 1
    assert found["tallygate_gateway_alarm", "broker", "north"] == 1
    assert found["process_resident_memory_bytes",] > 1_000_000


def test_no_figure_names_a_meter(server: FiguresServer) -> None:
    text = httpx.get(f"http://{HOST}:{server.port}/metrics").text

    assert not re.search(r"m-[123]|mqtt:x", text)


def test_before_the_first_snapshot_there_are_the_process_figures_only() -> None:
    with FiguresServer(Figures(), host=HOST, port=0) as server:
        assert not [name for name, *_ in scraped(server) if name.startswith("tallygate")]


def test_a_port_that_is_taken_is_named(server: FiguresServer) -> None:
    with pytest.raises(OSError, match=rf"{HOST}:{server.port}.*metrics.port"):
        FiguresServer(Figures(), host=HOST, port=server.port)


def expressions() -> list[str]:
    dashboard = json.loads((MONITORING / "grafana/dashboards/tallygate.json").read_text("utf-8"))
    alerts = (MONITORING / "prometheus/alerts.yml").read_text("utf-8")
    panels = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    queries = [each["query"] for each in dashboard["templating"]["list"]]
    return panels + queries + re.findall(r"expr: (.*)", alerts)


def test_dashboard_and_alerts_use_figures_that_exist(server: FiguresServer) -> None:
    ours = {name for name, *_ in scraped(server)}
    api = Metrics()
    api.answered(method="GET", route="/", status=200, duration_s=0.1)
    families = list(text_string_to_metric_families(api.exposition((), 0, now=NOW).decode()))
    known = ours | {sample.name for family in families for sample in family.samples}
    known |= {family.name for family in families} | PROMETHEUS_OWN

    used = {
        name
        for expression in expressions()
        for name in re.findall(r"\b(?:tallygate|process)_\w+|\bup\b", expression)
    }

    assert used
    assert used <= known
