"""Words as they were read: the runs of registers that a meter's answers held."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from itertools import chain
from typing import TYPE_CHECKING, Self

from meters.words import to_wire

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Run = tuple[int, tuple[int, ...]]
"""An address, and the words from there on."""


class Image(Mapping[int, int]):
    """Address → word, kept in runs: a register is cut out of one at the cost of a slice.

    Runs that touch are one. Where they overlap, the words of the one that begins later count.
    """

    __slots__ = ("_wires", "runs")

    def __init__(self, runs: Iterable[Run]) -> None:
        self.runs: list[Run] = []
        """In the order of their addresses, with a gap between any two."""
        self._wires: tuple[list[int], list[bytes]] | None = None
        after = -1
        for start, words in sorted(runs):
            if start > after:
                self.runs.append((start, words))
                after = start + len(words)
            else:
                first, before = self.runs[-1]
                joined = before[: start - first] + words + before[start + len(words) - first :]
                self.runs[-1] = first, joined
                after = first + len(joined)

    @classmethod
    def of(cls, words: Mapping[int, int]) -> Self:
        """Return `words` as an image; one that is an image already as it is."""
        if isinstance(words, cls):
            return words
        runs: list[tuple[int, list[int]]] = []
        after = None
        for address in sorted(words):
            if address != after:
                runs.append((address, []))
            runs[-1][1].append(words[address])
            after = address + 1
        return cls((start, tuple(run)) for start, run in runs)

    def wire(self, address: int, size: int) -> bytes | None:
        """Return the `size` bytes from `address` on as the wire had them; None if not all."""
        if self._wires is None:
            self._wires = [start for start, _ in self.runs], [to_wire(run) for _, run in self.runs]
        starts, wires = self._wires
        at = bisect_right(starts, address) - 1
        if at < 0:
            return None
        offset = 2 * (address - starts[at])
        found = wires[at][offset : offset + size]
        return found if len(found) == size else None

    def __getitem__(self, address: int) -> int:
        wire = self.wire(address, 2)
        if wire is None:
            raise KeyError(address)
        return int.from_bytes(wire, "big")

    def __iter__(self) -> Iterator[int]:
        return chain.from_iterable(range(start, start + len(words)) for start, words in self.runs)

    def __len__(self) -> int:
        return sum(len(words) for _, words in self.runs)

    def __repr__(self) -> str:
        return f"Image({self.runs!r})"
