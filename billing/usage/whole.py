"""Which registers together count all that a point uses, of those that are read or billed there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

WHOLE = {"electricity": ("import_energy", "total_energy"), "water": ("volume",)}
"""The registers of a medium that count all of it, the usual one first."""
UNITS = {"electricity": "kWh", "water": "m3"}
"""The unit in which each is counted, by the medium."""


def counting_all(medium: str, known: Collection[str]) -> tuple[str, ...]:
    """Return the registers of `known` whose sum is the whole use; none where nothing says it.

    One that counts all of it, else those of a register's tariffs (`import_energy_t1`, …): never
    both, which would count twice.
    """
    for name in WHOLE.get(medium, ()):
        if name in known:
            return (name,)
        of_tariffs = sorted(each for each in known if each.startswith(f"{name}_t"))
        if of_tariffs:
            return tuple(of_tariffs)
    return ()
