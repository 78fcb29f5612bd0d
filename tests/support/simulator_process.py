"""`tallygate simulate` in a process of its own, which says where it listens."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = "from simulators.commands import simulate; simulate(prog_name='tallygate simulate')"


@contextmanager
def running(*arguments: str, stdin: int | None = subprocess.DEVNULL) -> Iterator[Any]:
    """Run the command in a process; yield it with what it said once it was up as `said`."""
    command = [sys.executable, "-c", PROGRAM, *arguments, "--json"]
    with subprocess.Popen(
        command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            process.said = json.loads(line) if line else None  # type: ignore[attr-defined] # for the test
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Return the exit status of `process`, and what it said to standard error."""
    _, errors = process.communicate(timeout=30)
    return process.returncode, errors
