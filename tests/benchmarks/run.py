"""Runs every `bench_*.py` of this folder in order, each in a process of its own.

Says first what machine it is. Words on the command line choose benchmarks by a part of their name.
A benchmark prints its figures as ratios within its own run, and fails by its exit status.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from machine import machine

FOLDER = Path(__file__).parent
CHECKOUT = FOLDER.parent.parent


def pace_s() -> float:
    """Return the seconds that ten million additions in a plain loop take now.

    Shared machines change their pace from hour to hour: compare figures of one pace only.
    """
    started = time.perf_counter()
    total = 0
    for number in range(10_000_000):
        total += number
    return time.perf_counter() - started


def chosen(words: list[str]) -> list[Path]:
    """Return the benchmarks whose name holds one of `words`, all of them where there is none."""
    every = sorted(FOLDER.glob("bench_*.py"))
    return [path for path in every if not words or any(word in path.stem for word in words)]


def main(words: list[str]) -> int:
    benchmarks = chosen(words)
    if not benchmarks:
        print(f"tests/{FOLDER.name}/ has no bench_*.py called like {' or '.join(words) or 'any'}")
        return 2
    print(f"machine: {machine()}")
    print(f"its pace now: ten million additions in {pace_s():.2f} s", flush=True)
    paths = (str(CHECKOUT), str(CHECKOUT / "tests" / "support"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    failed = []
    for benchmark in benchmarks:
        print(f"\n{benchmark.stem}", flush=True)
        started = time.monotonic()
        run = subprocess.run([sys.executable, str(benchmark)], env=environment, check=False)
        print(f"({time.monotonic() - started:.0f} s)", flush=True)
        if run.returncode != 0:
            failed.append(benchmark.stem)
    if failed:
        print(f"\nfailed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
