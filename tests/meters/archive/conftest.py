"""An archive of each kind, empty, one for each test."""

from __future__ import annotations

import contextlib
import itertools
import time
from datetime import date
from typing import TYPE_CHECKING

import httpx
import pytest
from docker_daemon import docker_answers

from meters.archive import compaction
from meters.archive.compaction import compact
from meters.archive.open import open_archive
from meters.archive.sql import SqlArchive

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from influxdb_server import InfluxdbServer, WriteShim
    from testcontainers.core.container import DockerContainer

    from meters.archive.protocol import Appended, Archive
    from meters.reading import Reading

AFTER_ALL = date(2200, 1, 1)
INFLUXDB2_PORT, INFLUXDB3_PORT = 8086, 8181
INFLUXDB2_SETUP = {
    "MODE": "setup",
    "USERNAME": "admin",
    "PASSWORD": "not a secret",
    "ORG": "tallygate",
    "BUCKET": "first",
    "ADMIN_TOKEN": "not-a-secret-either",
}
_NUMBERS = itertools.count(1)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "_PAUSE_S", 0)


class CompactingArchive(SqlArchive):
    """An SQL archive that closes every day after every other batch."""

    _batches = 0

    def append(self, readings: Sequence[Reading]) -> Appended:
        done = super().append(readings)
        self._batches += 1
        if self._batches % 2:
            compact(self, AFTER_ALL)
        return done


@pytest.fixture(params=["sqlite", "postgresql"])
def archive_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty SQL database, where no archive is yet."""
    return _sql_url(request, tmp_path, request.param)


@pytest.fixture
def sql_archive(archive_url: str) -> Iterator[SqlArchive]:
    archive = SqlArchive(archive_url)
    yield archive
    archive.close()


KINDS = {
    "sqlite": SqlArchive,
    "sqlite, compacted": CompactingArchive,
    "postgresql": SqlArchive,
    "postgresql, compacted": CompactingArchive,
    "influxdb 1": open_archive,
    "influxdb 1, through its client": open_archive,
    "influxdb 2": open_archive,
    "influxdb 3": open_archive,
}


@pytest.fixture(params=KINDS)
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Archive]:
    """An archive of each kind."""
    kind: str = request.param
    if kind.startswith("influxdb"):
        url: str = request.getfixturevalue(URL_FIXTURES[kind])
    else:
        url = _sql_url(request, tmp_path, kind.partition(",")[0])
    made = KINDS[kind](url)
    yield made
    made.close()


URL_FIXTURES = {
    "influxdb 1": "influxdb_url",
    "influxdb 1, through its client": "influxdb_client_url",
    "influxdb 2": "influxdb2_url",
    "influxdb 3": "influxdb3_url",
}


@pytest.fixture
def influxdb_url(influxd: InfluxdbServer, influxdb_database: str) -> str:
    return f"influxdb+http://{influxd.host}:{influxd.port}/{influxdb_database}?version=1"


@pytest.fixture
def influxdb_client_url(
    influxd_shim: WriteShim, influxdb_database: str, monkeypatch: pytest.MonkeyPatch
) -> str:
    monkeypatch.setenv("TALLYGATE_TEST_TOKEN", "any: this server asks nobody")
    return (
        f"influxdb+http://{influxd_shim.host}:{influxd_shim.port}/{influxdb_database}"
        "?version=2&org=any&token_env=TALLYGATE_TEST_TOKEN"
    )


@pytest.fixture(scope="session")
def influxdb2_server() -> Iterator[DockerContainer]:
    """InfluxDB 2 in a container. Not a required part: most machines have no Docker."""
    with _container("influxdb:2", INFLUXDB2_PORT) as container:
        for name, value in INFLUXDB2_SETUP.items():
            container.with_env(f"DOCKER_INFLUXDB_INIT_{name}", value)
        yield _started(container, INFLUXDB2_PORT)


@pytest.fixture
def influxdb2_url(influxdb2_server: DockerContainer, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("TALLYGATE_TEST_TOKEN", INFLUXDB2_SETUP["ADMIN_TOKEN"])
    where = _address(influxdb2_server, INFLUXDB2_PORT)
    bucket = f"archive-{next(_NUMBERS)}"
    headers = {"Authorization": f"Token {INFLUXDB2_SETUP['ADMIN_TOKEN']}"}
    with httpx.Client(base_url=f"http://{where}", headers=headers) as client:
        orgs = client.get("/api/v2/orgs").raise_for_status().json()["orgs"]
        made = {"name": bucket, "orgID": orgs[0]["id"], "retentionRules": []}
        client.post("/api/v2/buckets", json=made).raise_for_status()
    return (
        f"influxdb+http://{where}/{bucket}"
        f"?version=2&org={INFLUXDB2_SETUP['ORG']}&token_env=TALLYGATE_TEST_TOKEN"
    )


@pytest.fixture(scope="session")
def influxdb3_server() -> Iterator[DockerContainer]:
    """InfluxDB 3 Core in a container. Not a required part: most machines have no Docker."""
    with _container("influxdb:3-core", INFLUXDB3_PORT) as container:
        container.with_command(
            "influxdb3 serve --node-id test --object-store memory --without-auth"
        )
        yield _started(container, INFLUXDB3_PORT)


@pytest.fixture
def influxdb3_url(influxdb3_server: DockerContainer) -> str:
    where = _address(influxdb3_server, INFLUXDB3_PORT)
    database = f"archive_{next(_NUMBERS)}"
    url = f"http://{where}/api/v3/configure/database"
    httpx.post(url, json={"db": database}).raise_for_status()
    return f"influxdb+http://{where}/{database}?version=3"


@contextlib.contextmanager
def _container(image: str, port: int) -> Iterator[DockerContainer]:
    if not docker_answers():
        pytest.skip(f"{image} needs Docker, and no daemon answers")
    from testcontainers.core.container import DockerContainer

    container = DockerContainer(image).with_exposed_ports(port)
    try:
        yield container
    finally:
        container.stop()


def _started(container: DockerContainer, port: int) -> DockerContainer:
    container.start()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"http://{_address(container, port)}/ping").is_success:
                return container
        time.sleep(0.2)
    raise TimeoutError(f"{container.image} did not answer within a minute")


def _address(container: DockerContainer, port: int) -> str:
    return f"{container.get_container_host_ip()}:{container.get_exposed_port(port)}"


@pytest.fixture
def sqlite_archive(tmp_path: Path) -> Iterator[SqlArchive]:
    archive = SqlArchive(f"sqlite:///{tmp_path / 'archive.db'}", timeout_s=0)
    yield archive
    archive.close()


def _sql_url(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> str:
    if kind == "sqlite":
        return f"sqlite:///{tmp_path / 'archive.db'}"
    url: str = request.getfixturevalue("fresh_postgresql_url")
    return url
