"""Codes of the second factor against the vectors of RFC 4226 and RFC 6238, clocks and replays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from api import totp

SECRET = b"12345678901234567890"
"""The secret of the vectors of both RFCs."""
NOW = datetime.fromtimestamp(1_111_111_109, UTC)
STEP = 37_037_036


def test_codes_are_those_of_rfc_4226() -> None:
    assert [totp.hotp(SECRET, counter) for counter in range(10)] == [
        *("755224", "287082", "359152", "969429", "338314"),
        *("254676", "287922", "162583", "399871", "520489"),
    ]


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "94287082"),
        (1_111_111_109, "07081804"),
        (1_111_111_111, "14050471"),
        (1_234_567_890, "89005924"),
        (2_000_000_000, "69279037"),
        (20_000_000_000, "65353130"),
    ],
)
def test_codes_are_those_of_rfc_6238(seconds: int, code: str) -> None:
    now = datetime.fromtimestamp(seconds, UTC)
    assert totp.hotp(SECRET, totp.step_at(now), digits=8) == code
    assert totp.matching_step(SECRET, code[2:], now=now, last_step=None) == seconds // 30


@pytest.mark.parametrize(
    ("late_steps", "found"), [(-2, None), (-1, STEP), (0, STEP), (1, STEP), (2, None)]
)
def test_a_clock_may_be_one_step_early_or_late(late_steps: int, found: int | None) -> None:
    now = NOW + timedelta(seconds=30 * late_steps)
    assert totp.matching_step(SECRET, "081804", now=now, last_step=None) == found


@pytest.mark.parametrize(
    ("last", "found"), [(None, STEP), (STEP - 1, STEP), (STEP, None), (STEP + 1, None)]
)
def test_a_step_counts_once_and_none_before_it(last: int | None, found: int | None) -> None:
    assert totp.matching_step(SECRET, "081804", now=NOW, last_step=last) == found


@pytest.mark.parametrize(
    "code", ["", "081805", "81804", "0081804", "08180\u096a", "081804 ", "x" * 999]
)
def test_another_code_is_of_no_step(code: str) -> None:
    assert totp.matching_step(SECRET, code, now=NOW, last_step=None) is None


def test_secrets_are_long_and_different() -> None:
    made = {totp.new_secret() for _ in range(100)}
    assert len(made) == 100
    assert {len(each) for each in made} == {20}


def test_a_secret_is_told_as_text_and_as_the_address_of_a_qr_code() -> None:
    assert totp.as_text(SECRET) == "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ"
    said = urlsplit(totp.address(SECRET, "王/li:x"))
    assert (said.scheme, said.netloc) == ("otpauth", "totp")
    assert said.path == "/Tallygate:%E7%8E%8B%2Fli%3Ax"
    assert parse_qs(said.query) == {
        "secret": ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"],
        "issuer": ["Tallygate"],
        "algorithm": ["SHA1"],
        "digits": ["6"],
        "period": ["30"],
    }
