"""Several processes on one archive, and processes that die."""

from __future__ import annotations

import os
import random
import runpy
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from meters.archive.sql import SqlArchive
from meters.interval import Interval

if TYPE_CHECKING:
    from meters.reading import Reading

WRITER = Path(__file__).parent / "writing_process.py"
ROOT = Path(__file__).parents[3]
_WRITER_NAMES = runpy.run_path(str(WRITER))
numbered, METERS = _WRITER_NAMES["numbered"], _WRITER_NAMES["METERS"]


def start_writer(url: str, first: int, count: int, batch: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(WRITER), url, str(first), str(count), str(batch)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
    )


def everything(url: str, after: int) -> list[Reading]:
    archive = SqlArchive(url)
    whole = Interval(numbered(0).time, numbered(after).time)
    found = [
        reading
        for series in {numbered(number).series for number in range(METERS)}
        for reading in archive.readings(series, whole)
    ]
    archive.close()
    return sorted(found, key=lambda reading: reading.time)


def test_two_processes_that_write_the_same_readings_store_each_once(archive_url: str) -> None:
    # Neither finds an archive there: making the tables is part of the race.
    count = 2000
    writers = [start_writer(archive_url, 0, count, 40) for _ in range(2)]
    said = [writer.communicate(timeout=60)[0].split("\n") for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    figures = [tuple(map(int, line.split()[:2])) for lines in said for line in lines if line]
    assert sum(stored for stored, _ in figures) == count
    assert sum(duplicates for _, duplicates in figures) == count
    assert everything(archive_url, count) == [numbered(number) for number in range(count)]


def test_a_reader_sees_whole_batches_while_another_process_writes(archive_url: str) -> None:
    batch, count = 100, 3000
    SqlArchive(archive_url).close()
    with start_writer(archive_url, 0, count, batch) as writer:
        seen = [0]
        while writer.poll() is None:
            seen.append(len(everything(archive_url, count)))
    assert writer.returncode == 0
    assert seen == sorted(seen)
    assert len(everything(archive_url, count)) == count


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_writer_has_stored_all_that_was_acknowledged(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "archive.db"
    url, acknowledged, randomness = f"sqlite:///{path}", 0, random.Random(seed)  # noqa: S311 - no secret
    for _ in range(3):
        with start_writer(url, acknowledged, 10**7, randomness.randint(1, 300)) as writer:
            assert writer.stdout is not None
            for _ in range(randomness.randint(1, 30)):
                acknowledged = int(writer.stdout.readline().split()[2])
            writer.send_signal(signal.SIGKILL)
            for line in writer.stdout.read().splitlines(keepends=True):
                if line.endswith("\n"):
                    acknowledged = int(line.split()[2])
        found = everything(url, acknowledged)
        assert found == [numbered(number) for number in range(acknowledged)]
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
