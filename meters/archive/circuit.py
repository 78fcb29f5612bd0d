"""A circuit that opens when a server is away: who asks meanwhile is told so at once."""

from __future__ import annotations

from dataclasses import dataclass

SECOND_NS = 1_000_000_000


@dataclass(slots=True)
class Circuit:
    """Opens for 1 s at the first failure, twice as long at each that follows, up to 30 s.

    When the time is over, calls are let through again. Times are nanoseconds of a monotonic clock.
    """

    first_ns: int = SECOND_NS
    longest_ns: int = 30 * SECOND_NS
    failures: int = 0
    closes_at: int = 0
    why: str = ""

    def wait_ns(self, at: int) -> int:
        """Return for how long nobody shall try; 0 lets a call through."""
        return max(0, self.closes_at - at) if self.failures else 0

    def failed(self, at: int, why: str) -> None:
        """Note that the server is away, and what it said or did."""
        self.closes_at = at + min(self.first_ns << min(self.failures, 16), self.longest_ns)
        self.failures += 1
        self.why = why

    def succeeded(self) -> None:
        """Note that the server has answered."""
        self.failures = 0
