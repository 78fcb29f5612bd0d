"""A server under test: a child process with a log, started, stopped or killed on purpose."""

from __future__ import annotations

import pwd
import subprocess
import time
from typing import TYPE_CHECKING

from loopback import is_open

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 10
LOG_TAIL_CHARACTERS = 2000


class ServerFailedError(RuntimeError):
    """A server did not come up; the message holds the end of its log."""


class ServerProcess:
    """One child process that listens on a loopback port. It may be started again after it ended."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        port: int,
        log: Path,
        user: str | None = None,
        is_up: Callable[[int], bool] = is_open,
    ) -> None:
        self.command = list(command)
        self.port = port
        self.log = log
        self.user = user
        self._is_up = is_up
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise ServerFailedError(f"{self.command[0]} is not running; call start() first")
        return self._process.pid

    def start(self) -> None:
        """Start the process and return when it is up: by default, accepts connections."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.log.parent,
                user=self.user,
                group=self.user and pwd.getpwnam(self.user).pw_gid,
                extra_groups=None if self.user is None else [],
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._is_up(self.port):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise ServerFailedError(f"{self.command[0]} did not start:\n{self.log_tail()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End the process with SIGTERM and wait for it; do nothing if it has ended."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """End the process with SIGKILL, as a power cut would, and wait for it."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait(STOP_TIMEOUT_S)
        self._process = None

    def log_tail(self) -> str:
        return self.log.read_text("utf-8", "replace")[-LOG_TAIL_CHARACTERS:]
