"""How long to leave alone what did not answer: twice as long after every failure, up to a limit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Backoff:
    """Consecutive failures of one thing, and when it may be tried again.

    Times are seconds of a monotonic clock, which a corrected wall clock does not disturb. One
    success ends the backoff at once.
    """

    first_s: float = 2.0
    longest_s: float = 300.0
    failures: int = 0
    retry_at: float = 0.0

    def failed(self, at: float) -> float:
        """Note a failure at `at`; return how many seconds to wait from there."""
        # the exponent is bounded, or a device that is dead for a year overflows the float
        wait_s = min(self.first_s * 2.0 ** min(self.failures, 32), self.longest_s)
        self.failures += 1
        self.retry_at = at + wait_s
        return wait_s

    def succeeded(self) -> bool:
        """Note a success; return whether it ended a run of failures."""
        recovered = self.failures > 0
        self.failures = 0
        self.retry_at = 0.0
        return recovered

    def wait_s(self, at: float) -> float:
        """Return how many seconds to wait from `at`; 0 where a try is due."""
        return max(0.0, self.retry_at - at) if self.failures else 0.0
