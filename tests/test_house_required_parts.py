"""A part that the tests need and the machine lacks: never skipped quietly, and never in CI."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from source_tree import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

NEEDS_CHROMIUM = "tests/test_house_fixtures.py::test_chromium_renders_chinese_without_a_network"
NEEDS_NOTHING = "tests/test_house_fixtures.py::test_a_free_port_has_no_listener"

NO_PROGRAMS = """\
import shutil
shutil.which = lambda *arguments, **keywords: None
"""


def run_without_programs(folder: Path, ci: str, *options: str) -> tuple[int, str]:
    """Run two tests, one of which needs a browser, on a machine that has no programs."""
    (folder / "no_programs.py").write_text(NO_PROGRAMS, "utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no_programs", "-p", "no:cacheprovider"]
    run = subprocess.run(
        [*command, *options, NEEDS_CHROMIUM, NEEDS_NOTHING],
        cwd=CHECKOUT,
        env={**os.environ, "CI": ci, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    return run.returncode, run.stdout


def test_on_a_desk_the_summary_names_part_and_package(tmp_path: Path) -> None:
    status, output = run_without_programs(tmp_path, ci="")
    assert status == 0
    assert "1 passed, 1 skipped" in output
    assert "REQUIRED PARTS ARE MISSING" in output
    assert "Chromium: every test with it was skipped; apt-get install chromium" in output


def test_in_ci_the_same_run_fails(tmp_path: Path) -> None:
    status, output = run_without_programs(tmp_path, ci="true")
    assert status == 1
    assert "a skip of a required part fails the run" in output


def test_in_ci_it_fails_whichever_process_ran_the_test(tmp_path: Path) -> None:
    status, output = run_without_programs(tmp_path, "true", "--numprocesses", "1")
    assert status == 1
    assert "Chromium: every test with it was skipped; apt-get install chromium" in output
