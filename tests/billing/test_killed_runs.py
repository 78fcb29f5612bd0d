"""Whatever is killed while a run is computed, each community comes out once, and the same.

TALLYGATE_KILLS says how often (3), TALLYGATE_CITY over how many communities (12), TALLYGATE_SEED at
which moments (1). `make chaos` does it 60 times over 1,000.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from city import NOW, OCTOBER, MadeUpArchive, make_city
from loopback import free_port
from sqlalchemy import text

from billing import lifecycle
from billing.database import Database
from billing.store import runs
from meters.catalog import shipped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from billing.store.runs import Run

CHECKOUT = Path(__file__).parents[2]
SUPPORT = CHECKOUT / "tests" / "support"
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join((str(CHECKOUT), str(SUPPORT)))}
KILLS = int(os.environ.get("TALLYGATE_KILLS", "3"))
COMMUNITIES = int(os.environ.get("TALLYGATE_CITY", "12"))
SEED = int(os.environ.get("TALLYGATE_SEED", "1"))
UNITS = 16
WITHIN_S = 120 + COMMUNITIES
"""For a command to end by itself: a second for each community, on slow machines too."""


@contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run Python with `arguments` in a group of its own, and end the whole group afterwards."""
    started = subprocess.Popen(
        [sys.executable, *arguments],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield started
    finally:
        started.kill()
        started.wait()
        if started.stdout is not None:
            started.stdout.close()


def children(pid: int) -> list[int]:
    """Return the processes that `pid` has started (proc(5)), without multiprocessing's tracker."""
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
        return [
            int(each)
            for each in found
            if b"spawn_main" in Path(f"/proc/{each}/cmdline").read_bytes()
        ]
    except FileNotFoundError:
        return []


def undisturbed(url: str) -> Run:
    """Return the run of an untouched city, computed in line."""
    with Database(url) as database:
        run_id = made(database)
        return lifecycle.compute_run(
            database, MadeUpArchive(), shipped(), run_id=run_id, actor="clerk", now=NOW
        )


def made(database: Database) -> int:
    database.migrate()
    codes = make_city(database, COMMUNITIES, UNITS)
    return lifecycle.create_run(
        database, period=OCTOBER.key, communities=codes, actor="clerk", now=NOW
    )


def counts(url: str) -> dict[str, int]:
    tables = ("community_run", "usage", "statement", "share", "bill", "bill_line")
    with Database(url) as database, database.snapshot() as connection:
        return {
            table: int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())  # noqa: S608  names of ours
            for table in tables
        }


def survive(url: str, run_id: int, how: tuple[str, str], kill: Callable[[int], None]) -> None:
    """Compute a run to its end, while `kill` is given the command's process at random moments."""
    chance = random.Random(SEED)  # noqa: S311  moments, no secret
    kills = 0
    deadline = time.monotonic() + WITHIN_S * (1 + KILLS)
    while True:
        assert time.monotonic() < deadline, f"killed {kills} times, it does not end"
        with process(str(SUPPORT / "city_run.py"), url, str(run_id), *how) as command:
            assert command.stdout is not None
            command.stdout.readline()
            while kills < KILLS and command.poll() is None:
                time.sleep(chance.uniform(0.05, 1.5))
                if command.poll() is None:
                    kill(command.pid)
                    kills += 1
            if command.wait(WITHIN_S) == 0 and kills >= KILLS:
                return


def assert_once_and_the_same(url: str, run_id: int, expected: Run, expected_rows: object) -> None:
    with Database(url) as database, database.snapshot() as connection:
        run = runs.read(connection, run_id)
    assert run.state == "computed"
    assert [(part.community, part.digest, part.bills) for part in run.communities] == [
        (part.community, part.digest, part.bills) for part in expected.communities
    ]
    assert run.digest == expected.digest
    assert counts(url) == expected_rows


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, dict[str, int]]:
    url = f"sqlite:///{tmp_path_factory.mktemp('undisturbed') / 'city.sqlite'}"
    run = undisturbed(url)
    assert run.state == "computed"
    return run, counts(url)


@pytest.fixture
def run_id(database_url: str) -> int:
    with Database(database_url) as database:
        return made(database)


def test_processes_are_killed_and_the_command_with_them(
    database_url: str, run_id: int, expected: tuple[Run, dict[str, int]]
) -> None:
    chance = random.Random(SEED)  # noqa: S311  a choice, no secret

    def kill(pid: int) -> None:
        os.kill(chance.choice([pid, *children(pid)]), signal.SIGKILL)

    survive(database_url, run_id, ("workers", "2"), kill)

    assert_once_and_the_same(database_url, run_id, *expected)


class Cluster:
    """A Dask scheduler with two workers on loopback; what was killed comes back."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.address = f"tcp://127.0.0.1:{free_port()}"
        self.scheduler = self._scheduler()
        self.workers = [self._worker(), self._worker()]

    def kill_worker(self) -> None:
        self.workers[0].kill()
        self.workers = [self.workers[1], self._worker()]

    def kill_scheduler(self) -> None:
        self.scheduler.kill()
        for worker in self.workers:
            worker.kill()
        self.scheduler = self._scheduler()
        self.workers = [self._worker(), self._worker()]

    def _scheduler(self) -> subprocess.Popen[str]:
        port = self.address.rpartition(":")[2]
        return self._start("scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard")

    def _worker(self) -> subprocess.Popen[str]:
        return self._start(
            "worker", self.address, "--no-nanny", "--nthreads", "1", "--no-dashboard"
        )

    def _start(self, *arguments: str) -> subprocess.Popen[str]:
        return self._stack.enter_context(process("-m", "dask", *arguments))


@pytest.mark.parametrize("victim", ["worker", "scheduler"])
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # as on many machines
def test_a_dask_worker_is_killed_or_the_scheduler(
    victim: str, database_url: str, run_id: int, expected: tuple[Run, dict[str, int]]
) -> None:
    with ExitStack() as stack:
        cluster = Cluster(stack)
        kill = cluster.kill_worker if victim == "worker" else cluster.kill_scheduler

        survive(database_url, run_id, ("scheduler", cluster.address), lambda _: kill())

    assert_once_and_the_same(database_url, run_id, *expected)
