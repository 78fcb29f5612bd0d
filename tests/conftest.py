"""Fixtures for every test: loopback only, and real servers and a real browser where asked for."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
from typing import TYPE_CHECKING, Any

import loopback
import pytest
from docker_daemon import docker_answers
from hypothesis import HealthCheck, settings
from influxdb_server import InfluxdbServer, WriteShim, find_influxd
from mosquitto_server import MosquittoServer, find_mosquitto
from postgresql_server import (
    copied_database,
    empty_database,
    find_postgresql,
    postgresql_server,
)
from required_parts import in_ci, missing

from billing.database import Database
from simulators.broker import EmbeddedBroker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from _pytest.terminal import TerminalReporter
    from playwright.sync_api import Browser

CHROMIUM_FLAGS = (
    "--no-sandbox",  # Chromium's own sandbox refuses root
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
    "--disable-gpu",
)


_DATABASES = itertools.count(1)

# how long an example takes says more of the machine than of the code
settings.register_profile("tallygate", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tallygate")


@pytest.fixture(scope="session", autouse=True)
def _only_loopback() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch, loopback.only_loopback(patch):
        yield


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """A function that returns a loopback port nobody listens on."""
    return loopback.free_port


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """The SQLAlchemy URL of a real PostgreSQL: the one asked for, a local one, or a container."""
    asked = os.environ.get("TALLYGATE_TEST_POSTGRESQL_URL")
    programs = find_postgresql()
    with contextlib.ExitStack() as stack:
        if asked:
            yield asked
        elif programs is not None:
            yield stack.enter_context(postgresql_server(programs))
        elif docker_answers():
            from testcontainers.community.postgres import PostgresContainer

            container = stack.enter_context(PostgresContainer("postgres:16", driver="pg8000"))
            yield container.get_connection_url()
        else:
            missing.skip("PostgreSQL", "postgresql")


@pytest.fixture
def fresh_postgresql_url(postgresql_url: str) -> Iterator[str]:
    """The URL of a new, empty database, dropped after the test."""
    with empty_database(postgresql_url) as url:
        yield url


@pytest.fixture(scope="session")
def migrated_postgresql_url(postgresql_url: str) -> Iterator[str]:
    """The URL of a billing database that is just migrated; copied, never opened."""
    with empty_database(postgresql_url) as url:
        with Database(url) as database:
            database.migrate()
        yield url


@pytest.fixture
def copied_postgresql_url(migrated_postgresql_url: str) -> Iterator[str]:
    """The URL of a new billing database without a row, dropped after the test."""
    with copied_database(migrated_postgresql_url) as url:
        yield url


@pytest.fixture
def embedded_broker() -> Iterator[EmbeddedBroker]:
    """The broker that needs no installation: `host`, `port` (MQTT 3.1.1) and `port_v5` (MQTT 5)."""
    with EmbeddedBroker() as broker:
        yield broker


@pytest.fixture
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MosquittoServer]:
    """A real Mosquitto (`host`, `port`); `kill()` and `start()` keep its port and its store."""
    executable = find_mosquitto()
    if executable is None:
        missing.skip("Mosquitto", "mosquitto")
    with MosquittoServer(executable, tmp_path_factory.mktemp("mosquitto")) as server:
        yield server


@pytest.fixture(scope="session")
def influxd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxdbServer]:
    """A real InfluxDB 1.x, without a database: shared, so kill one of your own."""
    executable = find_influxd()
    if executable is None:
        missing.skip("InfluxDB", "influxdb")
    with InfluxdbServer(executable, tmp_path_factory.mktemp("influxdb")) as server:
        yield server


@pytest.fixture(scope="session")
def influxd_shim(influxd: InfluxdbServer) -> Iterator[WriteShim]:
    """The same InfluxDB behind a proxy that maps `/api/v2/write` to `/write`, as 1.8 does."""
    with WriteShim(influxd) as shim:
        yield shim


@pytest.fixture
def influxdb_database(influxd: InfluxdbServer) -> Iterator[str]:
    """The name of a new, empty database of `influxd`, dropped after the test."""
    name = f"archive_{next(_DATABASES)}"
    influxd.ask(f'CREATE DATABASE "{name}"')
    yield name
    influxd.ask(f'DROP DATABASE "{name}"')


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium that Playwright can drive with `CHROMIUM_FLAGS`."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        missing.skip("Chromium", "chromium")
    return path


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """A headless Chromium. Of module scope: an open Playwright forbids `asyncio.run` beside it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=list(CHROMIUM_FLAGS))
        yield opened
        opened.close()


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    missing.report(terminalreporter)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Hear from a process that ran a part of the tests what it missed."""
    del error
    missing.parts.update(getattr(node, "workeroutput", {}).get("missing", {}))


def pytest_sessionfinish(session: pytest.Session) -> None:
    told: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if told is not None:
        told["missing"] = missing.parts
        return
    if missing.parts and in_ci() and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
