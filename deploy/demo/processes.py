"""The demo's processes: started in order, watched, and stopped together."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import IO, TYPE_CHECKING, Any, Self

import httpx

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

READY_TIMEOUT_S = 120
STOP_TIMEOUT_S = 15


class ProcessError(RuntimeError):
    """A part of the demo did not start, or ended by itself."""


class Processes:
    """Child processes running `tallygate …`, each with a log file in `logs`."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: dict[str, subprocess.Popen[str]] = {}
        self._files: list[IO[str]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for name in reversed(list(self._running)):
            self.stop(name)
        for file in self._files:
            file.close()

    def start(
        self, name: str, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """Start `tallygate` with `arguments` under the name `name`."""
        log = (self._logs / f"{name}.log").open("w", encoding="utf-8")
        self._files.append(log)
        process = subprocess.Popen(  # noqa: S603  our own program
            [sys.executable, "-m", "tallygate", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        self._running[name] = process
        return process

    def start_simulator(self, name: str, *arguments: str) -> dict[str, Any]:
        """Start a simulator and return what it says once it is up; it ends when the demo does."""
        said = self.start_server(name, "simulate", *arguments, "--json", "--follow-stdin")
        if said is None:
            raise ProcessError(self.why(name))
        document: dict[str, Any] = json.loads(said)
        return document

    def start_server(
        self, name: str, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> str | None:
        """Start a process and return the line it says once it is up; None if it ends instead."""
        process = self.start(name, *arguments, environment=environment)
        line = "" if process.stdout is None else process.stdout.readline()
        if line:
            return line.rstrip()
        self.stop(name)
        return None

    def wait_for_http(self, name: str, url: str) -> None:
        """Return once `url` answers; raise `ProcessError` if `name` ends before, or takes long."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline:
            self.check()
            try:
                if httpx.get(url, timeout=2).is_success:
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        raise ProcessError(f"{name} did not answer at {url} within {READY_TIMEOUT_S} s")

    def check(self) -> None:
        """Raise `ProcessError` if a process has ended by itself."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise ProcessError(self.why(name))

    def stop(self, name: str) -> int:
        """Stop the process `name` as an operator would, and return its exit status."""
        process = self._running.pop(name)
        process.terminate()
        try:
            process.communicate(timeout=STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        return process.returncode

    def why(self, name: str) -> str:
        """Return the last thing that the process `name` said before it ended."""
        log = self._logs / f"{name}.log"
        text = log.read_text("utf-8").strip()
        last = text.splitlines()[-1] if text else "it said nothing"
        return f"{name} ended by itself: {last} (all of it: {log})"
