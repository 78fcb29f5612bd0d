"""What simulators' commands share: options, an announcement, and how they stop."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

P = ParamSpec("P")
R = TypeVar("R")

CONNECT_TIMEOUT_S = 10
"""How long a broker that was started at the same time may take to come up."""
PASSWORD = "TALLYGATE_MQTT_PASSWORD"  # noqa: S105 - the name of the variable, not its value

PORT = click.IntRange(0, 65535)


def option(*names: str, **settings: Any) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return the decorator of an option whose default its help shows."""
    return click.option(*names, show_default=True, **settings)


faults_option = click.option(
    "--faults",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A TOML file of faults.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
follow_option = click.option(
    "--follow-stdin",
    is_flag=True,
    help="Stop when standard input ends: so a process ends with the one that started it.",
)


def announcement(document: dict[str, Any], text: str, *, as_json: bool) -> str:
    """Return what tells that everything is up: a process that started this one waits for it."""
    return json.dumps(document) if as_json else text


@contextmanager
def stop_event(*, follow_stdin: bool) -> Iterator[threading.Event]:
    """Yield an event that SIGTERM, Ctrl+C or, where asked for, the end of input sets."""
    stop = threading.Event()
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, lambda *_: stop.set()) for number in numbers]
    if follow_stdin:
        threading.Thread(target=_wait_for_end_of_input, args=(stop,), daemon=True).start()
    try:
        yield stop
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _wait_for_end_of_input(stop: threading.Event) -> None:
    # the file descriptor itself: a buffered reader would hold its lock while the process ends
    while os.read(sys.stdin.fileno(), 4096):
        pass
    stop.set()
