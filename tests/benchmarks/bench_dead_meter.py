"""A bus of 32 meters with a dead one against the same bus without it, in virtual time.

    python tests/benchmarks/bench_dead_meter.py

Half an hour of steady state: a meter's billing registers take 250 ms, a timeout 1.5 s and as much
again until the line is quiet.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
sys.path.insert(0, str(Path(__file__).parents[2]))

from slow_line import cycles_a_second


def main() -> None:
    without, beside = cycles_a_second(dead=False), cycles_a_second(dead=True)
    print(
        f"31 meters are all read every {1 / without:.3f} s, and every {1 / beside:.3f} s with a "
        f"dead one beside them: {without / beside - 1:+.1%}, ratio {beside / without:.3f}"
    )


if __name__ == "__main__":
    main()
