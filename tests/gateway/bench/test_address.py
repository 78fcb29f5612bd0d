"""Where a meter answers, as an engineer types it."""

from __future__ import annotations

import pytest

from gateway.bench.address import parse_address
from gateway.line import Line, NetworkLine, SerialPort
from meters.serial_line import parse_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("tcp://10.0.0.7:1502", NetworkLine("10.0.0.7", 1502)),
        ("10.0.0.7", NetworkLine("10.0.0.7", 502)),
        ("gateway.local:5020", NetworkLine("gateway.local", 5020)),
        ("tcp://[::1]:5020", NetworkLine("::1", 5020)),
        ("rtu://10.0.0.7:4001", NetworkLine("10.0.0.7", 4001, "rtu")),
        ("/dev/ttyUSB0", SerialPort("/dev/ttyUSB0", parse_line("2400 8E1"))),
    ],
)
def test_an_address_is_a_line(text: str, line: Line) -> None:
    assert parse_address(text, "2400 8E1") == line


@pytest.mark.parametrize(
    "text", ["", "http://x:1", "tcp://", "tcp://x:0", "tcp://x:99999", "tcp://x:y", "tcp://x:1/y"]
)
def test_anything_else_says_which_forms_there_are(text: str) -> None:
    with pytest.raises(ValueError, match=r"tcp://host:502, rtu://host:port .* or /dev/ttyUSB0"):
        parse_address(text, "9600 8N1")


def test_a_serial_server_has_no_usual_port() -> None:
    with pytest.raises(ValueError, match="needs a port"):
        parse_address("rtu://10.0.0.7", "9600 8N1")


def test_a_line_that_is_none_says_how_it_is_written() -> None:
    with pytest.raises(ValueError, match="baud rate, data bits, parity"):
        parse_address("/dev/ttyUSB0", "fast")
