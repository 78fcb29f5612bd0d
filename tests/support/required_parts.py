"""Parts that the tests need from the machine. One that is missing skips loudly, never quietly."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter


@dataclass(slots=True)
class Missing:
    """Which required parts were missing in this run: part → the package that brings it."""

    parts: dict[str, str] = field(default_factory=dict)

    def skip(self, part: str, package: str) -> NoReturn:
        """Skip the test that asked for `part`, and remember to say so at the end."""
        self.parts[part] = package
        pytest.skip(f"{part} is not on this machine; `apt-get install {package}` brings it")

    def report(self, terminal: TerminalReporter) -> None:
        """Print the banner: what was missing, what brings it, and what that means."""
        if not self.parts:
            return
        terminal.section("REQUIRED PARTS ARE MISSING", sep="!", red=True, bold=True)
        for part, package in sorted(self.parts.items()):
            terminal.line(
                f"{part}: every test with it was skipped; apt-get install {package}", red=True
            )
        terminal.line(
            "CI=true: a skip of a required part fails the run"
            if in_ci()
            else "these tests have NOT been run; install the packages and run them again",
            red=True,
        )


def in_ci() -> bool:
    return os.environ.get("CI", "").lower() in ("1", "true", "yes")


missing = Missing()
"""The one record of this run."""
