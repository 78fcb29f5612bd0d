"""Log lines for programs."""

from __future__ import annotations

import json
import logging
import sys

from gateway.log_lines import JsonLines


def record(message: str, *arguments: object, fault: bool = False) -> logging.LogRecord:
    return logging.LogRecord(
        "gateway.bus",
        logging.WARNING,
        "bus.py",
        1,
        message,
        arguments,
        sys.exc_info() if fault else None,
    )


def test_a_line_is_one_json_object() -> None:
    line = JsonLines().format(record("bus %s: %s fails", "北楼", "m-1\nm-2"))

    assert "\n" not in line
    said = json.loads(line)
    assert said.pop("time").endswith("+00:00")
    assert said == {
        "level": "warning",
        "logger": "gateway.bus",
        "message": "bus 北楼: m-1\nm-2 fails",
    }


def test_a_fault_keeps_its_trace_in_the_same_line() -> None:
    try:
        int("no words")
    except ValueError:
        line = JsonLines().format(record("reading failed", fault=True))

    assert "\n" not in line
    assert "ValueError: invalid literal" in json.loads(line)["exception"]
