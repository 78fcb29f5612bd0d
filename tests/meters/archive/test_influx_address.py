"""An InfluxDB's URL says everything but the secret."""

from __future__ import annotations

import pytest

from meters.archive.influx_address import InfluxAddress, read_address
from meters.archive.open import open_archive
from meters.archive.protocol import ArchiveUrlError


def test_a_url_of_each_version_is_read() -> None:
    one = "influxdb+http://gateway@10.0.0.9/meters/keep?version=1&password_env=SECRET"
    assert read_address(one) == InfluxAddress(
        "http://10.0.0.9:8086",
        "meters",
        1,
        "keep",
        user="gateway",
        secret_env="SECRET",  # noqa: S106 - the name of a variable
    )
    two = "influxdb+https://db.example:443/a%20bucket?version=2&org=tg&token_env=T&gzip=1"
    assert read_address(two) == InfluxAddress(
        "https://db.example:443",
        "a bucket",
        2,
        org="tg",
        secret_env="T",  # noqa: S106 - the name of a variable
        gzip=True,
    )
    three = "influxdb+http://[::1]:8181/meters?version=3&timeout_s=5"
    assert read_address(three) == InfluxAddress("http://[::1]:8181", "meters", 3, timeout_s=5)


def test_a_retention_policy_is_part_of_what_later_versions_call_a_bucket() -> None:
    assert read_address("influxdb+http://h/meters/keep?version=1").bucket == "meters/keep"
    assert read_address("influxdb+http://h/meters?version=1").bucket == "meters"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("influxdb+http://h/db", "write the server's major version"),
        ("influxdb+http://h/db?version=4", "version=4; write the server's major version"),
        ("influxdb+http://h?version=1", "names no host and database"),
        ("influxdb+http://h/a/b/c?version=1", "names no host and database"),
        ("influxdb+http:///db?version=1", "names no host and database"),
        ("influxdb+http://u:secret@h/db?version=1", "holds a password; put it into an environment"),
        ("influxdb+http://h/db?version=2", "needs its organisation"),
        ("influxdb+http://h/db?version=1&token_env=T", "token_env: no option of an InfluxDB 1"),
        ("influxdb+http://h/db?version=1&timeout_s=2.5", "timeout_s=2.5 .* is no whole number"),
        ("influxdb+http://h:x/db?version=1", "cannot be read"),
        ("influxdb://h/db?version=1", r"influxdb: is no kind of archive; write .*influxdb\+http"),
    ],
)
def test_a_url_that_leaves_something_open_is_refused(url: str, says: str) -> None:
    with pytest.raises(ArchiveUrlError, match=says) as caught:
        open_archive(url)
    assert "secret@" not in str(caught.value)


def test_a_secret_that_is_not_set_is_said_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TALLYGATE_NOWHERE", raising=False)
    with pytest.raises(ArchiveUrlError, match="TALLYGATE_NOWHERE, which is not set"):
        open_archive("influxdb+http://h/db?version=3&token_env=TALLYGATE_NOWHERE")
